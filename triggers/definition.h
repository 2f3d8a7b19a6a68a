/* A trigger's definition: what an author wrote, read and checked by itself.
 *
 * Read from YAML or JSON (docs/TRIGGERS.md has every key). Immutable and counted (atomically): any
 * thread may read it, its slices live as long as it does. Whether the table and its columns exist
 * is asked of the database by definition_check.h.
 *
 * What a reference (`new.x`) means depends on what the trigger is on:
 *   a table    new, old: the row's images
 *   an event   new: (id text, type text, source text, time timestamptz, subject text, data jsonb)
 *   a result   new: (trigger text, event_id text, status text, http_status int4, attempts int4,
 *              reason text, time timestamptz)
 *   cron       new: (schedule text, time timestamptz: the moment it is for)
 *   a queue    nothing: its jobs go to the webhook as they are */
#ifndef WALCAST_TRIGGERS_DEFINITION_H
#define WALCAST_TRIGGERS_DEFINITION_H

#include "core/core.h"

#define TRIGGERS_NAME_MAX       128
#define TRIGGERS_IDENTIFIER_MAX 63 /* PostgreSQL's */
#define TRIGGERS_SELECTED_MAX   256
#define TRIGGERS_KEYED_MAX      8
#define TRIGGERS_SECRETS_MAX    8
#define TRIGGERS_HEADERS_MAX    32
#define TRIGGERS_PARAMETERS_MAX 64
#define TRIGGERS_DELAYS_MAX     32
#define TRIGGERS_TEMPLATE_MAX   ((size_t)64 << 10)

typedef enum {
    TRIGGERS_ON_TABLE,
    TRIGGERS_ON_EVENT,
    TRIGGERS_ON_CRON,
    TRIGGERS_ON_RESULT,
    TRIGGERS_ON_QUEUE, /* jobs, which are posted to the webhook: docs/JOBS.md */
} triggers_on;

typedef enum {
    TRIGGERS_DO_WEBHOOK,
    TRIGGERS_DO_NATS,
    TRIGGERS_DO_SQL,
    TRIGGERS_DO_BROADCAST,
    TRIGGERS_DO_JOB,
    TRIGGERS_DO_WORKFLOW,
} triggers_do;
enum { TRIGGERS_DO_COUNT = TRIGGERS_DO_WORKFLOW + 1 };

enum {
    TRIGGERS_OP_INSERT = 1,
    TRIGGERS_OP_UPDATE = 2,
    TRIGGERS_OP_DELETE = 4,
    TRIGGERS_OP_TRUNCATE = 8,
    TRIGGERS_OP_READ = 16, /* rows of snapshots */
};
#define TRIGGERS_OPS_CHANGES (TRIGGERS_OP_INSERT | TRIGGERS_OP_UPDATE | TRIGGERS_OP_DELETE)

/* Bits of a result's outcome. */
enum { TRIGGERS_RESULT_DELIVERED = 1, TRIGGERS_RESULT_DEAD = 2 };

/* A column of an image, and what it is called in `data`. `old` ones are called `old.column` unless
 * they are given a name. */
typedef struct {
    bool is_old;
    core_slice column;
    core_slice name;
} triggers_selected;

typedef struct {
    core_slice name, value;
} triggers_header;

/* Texts may hold ${secret:NAME}, which is put in only when it is sent. */
typedef struct {
    core_slice url;
    const core_slice *secrets; /* each signs; the first is the present one */
    size_t secret_count;
    const triggers_header *headers;
    size_t header_count;
    int64_t timeout_ms;
    uint32_t rate_count; /* deliveries to the endpoint in rate_ms; 0: no limit */
    int64_t rate_ms;
    uint32_t concurrency; /* attempts at once to the endpoint */
    uint32_t batch_size;  /* events in one request; 1: no batching */
    int64_t batch_ms;     /* the longest that one waits for others */
} triggers_webhook;

typedef struct {
    core_slice subject;
    bool request; /* waits for an answer */
    int64_t timeout_ms;
} triggers_nats;

/* A value that goes into a statement. */
typedef enum {
    TRIGGERS_VALUE_NEW,    /* the column's */
    TRIGGERS_VALUE_OLD,    /* the same */
    TRIGGERS_VALUE_DATA,   /* the body's `data`, JSON */
    TRIGGERS_VALUE_TYPE,   /* the body's texts */
    TRIGGERS_VALUE_TIME,   /* the same: `timestamp` */
    TRIGGERS_VALUE_OFFSET, /* the same */
    TRIGGERS_VALUE_ID,     /* the webhook-id: the same over retries */
} triggers_value_of;

typedef struct {
    triggers_value_of of;
    core_slice column;
} triggers_value;

typedef struct {
    core_slice database; /* a source's name; empty: the trigger's own */
    core_slice statement;
    const triggers_value *parameters; /* $1, $2, ... */
    size_t parameter_count;
    int64_t timeout_ms;
} triggers_sql;

typedef struct {
    core_slice channel, event;
    bool is_private;
} triggers_broadcast;

typedef struct {
    core_slice queue;
    int32_t priority; /* -100 to 100, higher first */
    int64_t delay_ms;
    const triggers_selected *unique; /* two with equal values are one while it waits; 0: none */
    size_t unique_count;
    const triggers_selected *serial; /* those with equal values run one at a time; 0: none */
    size_t serial_count;
} triggers_enqueue;

typedef struct {
    core_slice name;
    const triggers_selected *run; /* the run's id comes of their values; 0: of the event's id */
    size_t run_count;
} triggers_workflow;

typedef enum {
    TRIGGERS_CATCH_UP_NONE, /* what was missed by more than the tolerance is skipped, and told */
    TRIGGERS_CATCH_UP_LAST, /* the latest of the missed ones runs */
    TRIGGERS_CATCH_UP_ALL,  /* each of them, in order */
} triggers_catch_up;

typedef struct {
    core_slice expression; /* five or six fields, or @daily and its kin */
    core_slice time_zone;  /* of the tz database; "UTC" */
    int64_t tolerance_ms;  /* so late it still counts as on time */
    triggers_catch_up catch_up;
} triggers_schedule;

typedef struct {
    const int64_t *delays_ms; /* behind the first attempt, the second, ...; then it is dead */
    size_t count;
    uint32_t jitter_percent;
} triggers_retry;

/* Positions where a new trigger may begin. */
typedef enum {
    TRIGGERS_START_NOW,
    TRIGGERS_START_FIRST,  /* the oldest that the stream holds */
    TRIGGERS_START_OFFSET, /* behind start_offset */
    TRIGGERS_START_TIME,   /* at start_us */
} triggers_start;

typedef struct triggers_definition {
    core_slice name, project, environment, description;
    uint64_t revision;   /* of the bucket's entry; 0: it is not stored */
    int64_t created_us;  /* when it was made; stays when it is replaced */
    uint32_t partitions; /* how many do its work (spread.h); stays, too; 0: all */
    core_slice facts;    /* of its table as it was checked (facts.h); empty: none */
    bool disabled;       /* nothing is matched */
    bool paused;         /* it is matched, and its tasks wait */

    triggers_on on;
    core_slice schema, table; /* `public` as written: a tenant's home (core/tenant.h) */
    unsigned ops;             /* TRIGGERS_OP_* */
    core_slice event_type;    /* may end in '*' */
    core_slice result_of;     /* a trigger of the project */
    unsigned results;         /* TRIGGERS_RESULT_* */
    triggers_schedule schedule;
    core_slice queue; /* of jobs */

    core_slice when; /* SQL; empty: always */
    const triggers_selected *selected;
    size_t selected_count;    /* 0: data = {"new": {...}, "old": {...}|null} */
    core_slice template_text; /* or empty: what `data` is instead */

    core_slice key;                 /* as written, parts joined by ", "; empty: the primary key */
    const triggers_selected *keyed; /* the same, read */
    size_t keyed_count;

    triggers_do action; /* which of these is meant */
    union {
        triggers_webhook webhook;
        triggers_nats nats;
        triggers_sql sql;
        triggers_broadcast broadcast;
        triggers_enqueue job;
        triggers_workflow workflow;
    };
    triggers_retry retry;

    triggers_start start;
    core_offset start_offset;
    int64_t start_us;
    /* An offset: only what stands behind it; empty: not stored yet. Of what is on no table
     * EPOCH-SEQ.0, the stream of events' (event_view.h). With TRIGGERS_START_TIME it is 0-0.0, and
     * what was committed before start_us does not count. */
    core_slice since;
} triggers_definition;

/* What the text does not say itself. */
typedef struct {
    core_slice project, environment; /* where the text names none */
    uint64_t revision;
    int64_t created_us;
    uint32_t partitions;
    core_slice since, facts;
    const bool *disabled, *paused; /* instead of the text's; NULL: the text's */
} triggers_definition_facts;

/* Of YAML or JSON. NULL when `problems` got an error; warnings may come with a definition. The
 * caller holds one reference. */
CORE_MUST_CHECK const triggers_definition *
triggers_definition_read(core_slice text, const triggers_definition_facts *facts,
                         core_problems *problems);
/* The same of a document, which is not needed afterwards. */
CORE_MUST_CHECK const triggers_definition *
triggers_definition_of(const core_document *document, const triggers_definition_facts *facts,
                       core_problems *problems);
/* Another reference; gives one back (NULL is nothing). From any thread. */
const triggers_definition *triggers_definition_hold(const triggers_definition *definition);
void triggers_definition_release(const triggers_definition *definition);

/* A letter, digit or _, then letters, digits, _ and -, at most TRIGGERS_NAME_MAX. */
bool triggers_name_ok(core_slice name);
/* "webhook" of TRIGGERS_DO_WEBHOOK. */
const char *triggers_do_name(triggers_do action);

#endif
