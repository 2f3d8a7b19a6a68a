/* Definitions for tests, of a text that must be good, and the table that they are on. */
#ifndef WALCAST_TESTS_UNIT_TRIGGERS_DEFINITIONS_H
#define WALCAST_TESTS_UNIT_TRIGGERS_DEFINITIONS_H

#include "triggers/definition.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Held by the caller. */
static inline const triggers_definition *definition_of(const char *project, const char *text) {
    core_problems problems;
    const triggers_definition_facts facts = {.project = core_slice_text(project),
                                             .environment = core_slice_text("dev")};
    core_problems_init(&problems);
    const triggers_definition *made =
        triggers_definition_read(core_slice_text(text), &facts, &problems);
    if (made == NULL)
        fail_msg("%s\n%s", text, problems.items[0].text);
    core_problems_fini(&problems);
    return made;
}

/* public.orders with these columns, which must stay. */
static inline core_relation orders_relation(const core_column *columns, uint16_t count,
                                            char identity) {
    return (core_relation){.schema = core_slice_text("public"),
                           .table = core_slice_text("orders"),
                           .replica_identity = identity,
                           .column_count = count,
                           .columns = columns};
}

#endif
