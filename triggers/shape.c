/* See shape.h. */
#include "triggers/shape.h"

#define NAME(text)                                                                                 \
    { .data = (const uint8_t *)(text), .length = sizeof(text) - 1 }
#define COLUMN(text, oid, type)                                                                    \
    { .name = NAME(text), .type_name = NAME(type), .type_oid = (oid), .typmod = -1, .key = true }
#define TEXT(text) COLUMN(text, 25, "text")
#define INT4(text) COLUMN(text, 23, "int4")
#define TIME(text) COLUMN(text, 1184, "timestamptz")
#define JSON(text) COLUMN(text, 3802, "jsonb")

static const core_column event_columns[] = {TEXT("id"),   TEXT("type"),    TEXT("source"),
                                            TIME("time"), TEXT("subject"), JSON("data")};
static const core_column cron_columns[] = {TEXT("schedule"), TIME("time")};
static const core_column result_columns[] = {TEXT("trigger"),     TEXT("event_id"), TEXT("status"),
                                             INT4("http_status"), INT4("attempts"), TEXT("reason"),
                                             TIME("time")};

#define BYTES                                                                                      \
    { .collation = EXPR_COLLATION_C }
static const expr_column_facts facts[] = {BYTES, BYTES, BYTES, BYTES, BYTES, BYTES, BYTES};
static_assert(CORE_COUNT_OF(event_columns) <= CORE_COUNT_OF(facts) &&
                  CORE_COUNT_OF(cron_columns) <= CORE_COUNT_OF(facts) &&
                  CORE_COUNT_OF(result_columns) <= CORE_COUNT_OF(facts),
              "facts are one a column");

#define SHAPE(name, list)                                                                          \
    {                                                                                              \
        .schema = NAME("walcast"), .table = NAME(name), .replica_identity = 'f',                   \
        .column_count = CORE_COUNT_OF(list), .columns = (list)                                     \
    }

const core_relation *triggers_shape(triggers_on on) {
    static const core_relation shapes[] = {
        [TRIGGERS_ON_EVENT] = SHAPE("event", event_columns),
        [TRIGGERS_ON_CRON] = SHAPE("cron", cron_columns),
        [TRIGGERS_ON_RESULT] = SHAPE("result", result_columns),
    };
    return on == TRIGGERS_ON_TABLE || on == TRIGGERS_ON_QUEUE ? NULL : &shapes[on];
}

const expr_column_facts *triggers_shape_facts(void) {
    return facts;
}
