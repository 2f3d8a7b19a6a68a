/* The keys of a definition: one row each gives parsing, defaults, refusals and docs/TRIGGERS.md. */
#include "triggers/definition_private.h"

#define SECOND    INT64_C(1000)
#define MINUTE    (60 * SECOND)
#define HOUR      (60 * MINUTE)
#define DAY       (24 * HOUR)
#define FIELD(it) offsetof(triggers_definition, it)

/* clang-format off */
static const triggers_key key_rows[] = {
    {.section = "", .name = "name", .kind = TRIGGERS_KEY_NAME, .required = true,
     .offset = FIELD(name),
     .doc = "What the trigger is called within its project."},
    {.section = "", .name = "project", .kind = TRIGGERS_KEY_TEXT, .max = 128, .offset = FIELD(project),
     .doc = "Whose it is; by default the source's own project. Over REST always the project of the "
            "address."},
    {.section = "", .name = "environment", .kind = TRIGGERS_KEY_TEXT, .max = 128,
     .offset = FIELD(environment),
     .doc = "By default the source's."},
    {.section = "", .name = "description", .kind = TRIGGERS_KEY_TEXT, .max = 1024,
     .offset = FIELD(description), .doc = "For people."},
    {.section = "", .name = "on", .kind = TRIGGERS_KEY_SECTION, .required = true,
     .doc = "What it waits for: one of `table`, `event`, `cron`, `result`, `queue`."},
    {.section = "", .name = "when", .kind = TRIGGERS_KEY_TEXT, .max = 64 << 10,
     .offset = FIELD(when),
     .doc = "A condition in SQL over `new` and `old` (docs/CONDITIONS.md); only rows for which it "
            "is true count. Without one all do."},
    {.section = "", .name = "select", .kind = TRIGGERS_KEY_SELECT, .offset = FIELD(selected),
     .count = FIELD(selected_count), .max = TRIGGERS_SELECTED_MAX,
     .doc = "The columns that `data` holds: `[new.id, new.total]`, or with names of your own "
            "`{id: new.id, before: old.total}`. Without it `data` is `{\"new\": {…}, \"old\": {…}}` "
            "with whole rows."},
    {.section = "", .name = "template", .kind = TRIGGERS_KEY_TEXT, .max = 64 << 10,
     .offset = FIELD(template_text),
     .doc = "What `data` is instead: a JSON document in which `${new.total}` stands for a column's "
            "value, or a text with such values."},
    {.section = "", .name = "key", .kind = TRIGGERS_KEY_KEY, .offset = FIELD(keyed),
     .count = FIELD(keyed_count), .max = TRIGGERS_KEYED_MAX,
     .doc = "Deliveries of equal keys are made one at a time, in the order of their commits: "
            "`new.customer_id`, or a list. Of a DELETE, which has no new row, the old one's columns "
            "count. By default the table's primary key."},
    {.section = "", .name = "do", .kind = TRIGGERS_KEY_SECTION, .required = true,
     .doc = "What is done: one of `webhook`, `nats`, `sql`, `broadcast`, `job`, `workflow`."},
    {.section = "", .name = "retry", .kind = TRIGGERS_KEY_SECTION,
     .doc = "When an attempt that failed is made again."},
    {.section = "", .name = "start_from", .kind = TRIGGERS_KEY_START,
     .initial = "now",
     .doc = "Where a new trigger begins: `now`, `first` (the oldest change or event that is kept), "
            "behind an offset or an event's id, or at a time such as `2025-11-19T00:22:40Z`. "
            "Looked at once, when it is made."},
    {.section = "", .name = "disabled", .kind = TRIGGERS_KEY_BOOL, .initial = "false",
     .offset = FIELD(disabled),
     .doc = "Nothing is matched; what comes meanwhile is never delivered."},
    {.section = "", .name = "paused", .kind = TRIGGERS_KEY_BOOL, .initial = "false",
     .offset = FIELD(paused),
     .doc = "It is matched, and what it would deliver waits until it is resumed."},

    {.section = "on", .name = "table", .kind = TRIGGERS_KEY_TABLE,
     .doc = "`SCHEMA.TABLE`, names as they are; one that holds a dot in double quotes. Of a tenant "
            "(docs/TENANTS.md) `public` is its home schema."},
    {.section = "on", .name = "ops", .kind = TRIGGERS_KEY_CHOICES, .needs = "table",
     .offset = FIELD(ops), .choices = "insert|update|delete|truncate|read",
     .initial = "insert, update, delete",
     .doc = "Which operations. `read` are the rows of snapshots; they come only to who names them."},
    {.section = "on", .name = "event", .kind = TRIGGERS_KEY_EVENT, .offset = FIELD(event_type),
     .doc = "The type of application events, or all that begin so: `auth.user.*`."},
    {.section = "on", .name = "result", .kind = TRIGGERS_KEY_NAME, .offset = FIELD(result_of),
     .doc = "Another trigger of the project, whose results these are."},
    {.section = "on", .name = "outcome", .kind = TRIGGERS_KEY_CHOICES, .needs = "result",
     .offset = FIELD(results), .choices = "delivered|dead", .initial = "delivered, dead",
     .doc = "Which results."},
    {.section = "on", .name = "cron", .kind = TRIGGERS_KEY_TEXT, .max = 256,
     .offset = FIELD(schedule.expression),
     .doc = "A schedule: `minute hour day month weekday`, with seconds in front where there are "
            "six fields, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`."},
    {.section = "on", .name = "time_zone", .kind = TRIGGERS_KEY_TEXT, .needs = "cron", .max = 64,
     .offset = FIELD(schedule.time_zone), .initial = "UTC",
     .doc = "Of the tz database: `Europe/Berlin`."},
    {.section = "on", .name = "tolerance", .kind = TRIGGERS_KEY_DURATION, .needs = "cron",
     .offset = FIELD(schedule.tolerance_ms), .min = 0, .max = 7 * DAY, .initial = "1m",
     .doc = "So much later a run still counts as on time; beyond it `catch_up` decides."},
    {.section = "on", .name = "catch_up", .kind = TRIGGERS_KEY_CHOICE, .needs = "cron",
     .offset = FIELD(schedule.catch_up), .choices = "none|last|all", .initial = "last",
     .doc = "Of the runs that were missed: none, the latest, or all in order."},

    {.section = "on", .name = "queue", .kind = TRIGGERS_KEY_NAME, .offset = FIELD(queue),
     .doc = "A queue of jobs (docs/JOBS.md): the webhook is its worker. Beside `name`, `do.webhook` "
            "and what switches it off nothing else is given then."},

    {.section = "do", .name = "webhook", .kind = TRIGGERS_KEY_SECTION,
     .doc = "A POST to an endpoint, signed by the Standard Webhooks specification."},
    {.section = "do", .name = "nats", .kind = TRIGGERS_KEY_SECTION,
     .doc = "A message to a NATS subject, with the body as its payload."},
    {.section = "do", .name = "sql", .kind = TRIGGERS_KEY_SECTION,
     .doc = "A statement on a database."},
    {.section = "do", .name = "broadcast", .kind = TRIGGERS_KEY_SECTION,
     .doc = "A realtime broadcast of `data` to a channel (docs/BROADCAST.md)."},
    {.section = "do", .name = "job", .kind = TRIGGERS_KEY_SECTION,
     .doc = "A job with `data` as its input."},
    {.section = "do", .name = "workflow", .kind = TRIGGERS_KEY_SECTION,
     .doc = "A workflow's run with `data` as its input."},

    {.section = "do.webhook", .name = "url", .kind = TRIGGERS_KEY_URL, .required = true,
     .offset = FIELD(webhook.url), .max = 2048,
     .doc = "`http://` or `https://`."},
    {.section = "do.webhook", .name = "secret", .kind = TRIGGERS_KEY_SECRET,
     .offset = FIELD(webhook.secrets), .count = FIELD(webhook.secret_count),
     .max = TRIGGERS_SECRETS_MAX,
     .doc = "What signs: `${secret:NAME}` (docs/SECRETS.md); a list while secrets are rotated, "
            "each of them signs. A literal one is taken with a warning. Without one nothing is "
            "signed."},
    {.section = "do.webhook", .name = "headers", .kind = TRIGGERS_KEY_HEADERS,
     .offset = FIELD(webhook.headers), .count = FIELD(webhook.header_count),
     .max = TRIGGERS_HEADERS_MAX,
     .doc = "Further headers: `{x-shop: \"7\"}`. `${secret:NAME}` may stand in their values."},
    {.section = "do.webhook", .name = "timeout", .kind = TRIGGERS_KEY_DURATION,
     .offset = FIELD(webhook.timeout_ms), .min = 100, .max = 2 * MINUTE, .initial = "15s",
     .doc = "Of one attempt as a whole."},
    {.section = "do.webhook", .name = "rate", .kind = TRIGGERS_KEY_RATE,
     .offset = FIELD(webhook.rate_ms), .count = FIELD(webhook.rate_count),
     .doc = "The most requests to the endpoint: `100/s`, `600/m`, `1000/h`. By default no limit. Of "
            "each trigger (two with one endpoint send it up to twice as many), over all processes "
            "that share its work ([what an endpoint is asked]"
            "(WEBHOOKS.md#how-much-an-endpoint-is-asked))."},
    {.section = "do.webhook", .name = "concurrency", .kind = TRIGGERS_KEY_INTEGER,
     .offset = FIELD(webhook.concurrency), .min = 1, .max = 1000, .initial = "50",
     .doc = "The most requests to the endpoint at once; of each trigger over all processes, as "
            "`rate`."},
    {.section = "do.webhook", .name = "batch", .kind = TRIGGERS_KEY_SECTION,
     .doc = "Several events of one key in one request, whose body is then a list of what would be "
            "theirs, also of one alone (docs/WEBHOOKS.md)."},
    {.section = "do.webhook.batch", .name = "size", .kind = TRIGGERS_KEY_INTEGER, .required = true,
     .offset = FIELD(webhook.batch_size), .min = 1, .max = 250,
     .doc = "The most events of one request, up to 250; 1: no batching, and no list."},
    {.section = "do.webhook.batch", .name = "wait", .kind = TRIGGERS_KEY_DURATION,
     .offset = FIELD(webhook.batch_ms), .min = 0, .max = MINUTE, .initial = "1s",
     .doc = "The longest that an event waits for others when fewer than `size` are there; `0s`: "
            "only those go together that wait anyway."},

    {.section = "do.nats", .name = "subject", .kind = TRIGGERS_KEY_SUBJECT, .required = true,
     .offset = FIELD(nats.subject), .max = 255,
     .doc = "Without wildcards, and none of Walcast's own (`{nats.prefix}.…`, `$…`). Of a tenant "
            "(docs/TENANTS.md) it begins with the project: `acme.orders`."},
    {.section = "do.nats", .name = "request", .kind = TRIGGERS_KEY_BOOL, .initial = "false",
     .offset = FIELD(nats.request),
     .doc = "It is delivered when somebody has answered; else when a stream has it, or where none "
            "takes the subject the server."},
    {.section = "do.nats", .name = "timeout", .kind = TRIGGERS_KEY_DURATION,
     .offset = FIELD(nats.timeout_ms), .min = 100, .max = 2 * MINUTE, .initial = "15s",
     .doc = "For the answer."},

    {.section = "do.sql", .name = "database", .kind = TRIGGERS_KEY_NAME,
     .offset = FIELD(sql.database),
     .doc = "A source's name (`sources.NAME`); by default the trigger's own database."},
    {.section = "do.sql", .name = "statement", .kind = TRIGGERS_KEY_TEXT, .required = true,
     .offset = FIELD(sql.statement), .max = 64 << 10,
     .doc = "One statement; `$1`, `$2`, … are the parameters."},
    {.section = "do.sql", .name = "parameters", .kind = TRIGGERS_KEY_PARAMETERS,
     .offset = FIELD(sql.parameters), .count = FIELD(sql.parameter_count),
     .max = TRIGGERS_PARAMETERS_MAX,
     .doc = "A list of `new.x`, `old.x`, and `data`, `type`, `timestamp`, `offset` as they stand "
            "in the body, and `id`, which is the same over retries."},
    {.section = "do.sql", .name = "timeout", .kind = TRIGGERS_KEY_DURATION,
     .offset = FIELD(sql.timeout_ms), .min = 100, .max = 2 * MINUTE, .initial = "15s",
     .doc = "Of one attempt."},

    {.section = "do.broadcast", .name = "channel", .kind = TRIGGERS_KEY_TEXT, .required = true,
     .offset = FIELD(broadcast.channel), .max = 255, .doc = "The topic, without `realtime:`."},
    {.section = "do.broadcast", .name = "event", .kind = TRIGGERS_KEY_TEXT, .required = true,
     .offset = FIELD(broadcast.event), .max = 255, .doc = "The event's name."},
    {.section = "do.broadcast", .name = "private", .kind = TRIGGERS_KEY_BOOL, .initial = "true",
     .offset = FIELD(broadcast.is_private),
     .doc = "To the private channel, whose readers policies decide on."},

    {.section = "do.job", .name = "queue", .kind = TRIGGERS_KEY_NAME, .required = true,
     .offset = FIELD(job.queue), .doc = "The queue's name."},
    {.section = "do.job", .name = "priority", .kind = TRIGGERS_KEY_INTEGER,
     .offset = FIELD(job.priority), .min = -100, .max = 100, .initial = "0",
     .doc = "Higher ones first."},
    {.section = "do.job", .name = "delay", .kind = TRIGGERS_KEY_DURATION,
     .offset = FIELD(job.delay_ms), .min = 0, .max = 365 * DAY, .initial = "0s",
     .doc = "It is not run before."},
    {.section = "do.job", .name = "unique", .kind = TRIGGERS_KEY_REFERENCES,
     .offset = FIELD(job.unique), .count = FIELD(job.unique_count), .max = TRIGGERS_KEYED_MAX,
     .doc = "Columns: while a job with equal values waits, no second one is made."},
    {.section = "do.job", .name = "concurrency", .kind = TRIGGERS_KEY_REFERENCES,
     .offset = FIELD(job.serial), .count = FIELD(job.serial_count), .max = TRIGGERS_KEYED_MAX,
     .doc = "Columns: jobs with equal values run one at a time."},

    {.section = "do.workflow", .name = "name", .kind = TRIGGERS_KEY_NAME, .required = true,
     .offset = FIELD(workflow.name), .doc = "The workflow's name."},
    {.section = "do.workflow", .name = "run", .kind = TRIGGERS_KEY_REFERENCES,
     .offset = FIELD(workflow.run), .count = FIELD(workflow.run_count),
     .max = TRIGGERS_KEYED_MAX,
     .doc = "Columns that the run's id is made of: an equal one is not started twice. By default "
            "each event starts one."},

    {.section = "retry", .name = "delays", .kind = TRIGGERS_KEY_DELAYS,
     .offset = FIELD(retry.delays_ms), .count = FIELD(retry.count), .min = 0, .max = 7 * DAY,
     .initial = "5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h",
     .doc = "How long to wait behind the first failed attempt, the second, and so on; at most 32. "
            "Behind the last one it goes to the dead letters. An empty list: no second attempt."},
    {.section = "retry", .name = "jitter", .kind = TRIGGERS_KEY_INTEGER,
     .offset = FIELD(retry.jitter_percent), .min = 0, .max = 100, .initial = "20",
     .doc = "Percent by which each delay is made longer or shorter at random."},
};
/* clang-format on */

const triggers_key *triggers_keys(size_t *count) {
    *count = CORE_COUNT_OF(key_rows);
    return key_rows;
}

const triggers_key *triggers_key_find(const char *section, core_slice name) {
    for (size_t i = 0; i < CORE_COUNT_OF(key_rows); i++)
        if (strcmp(key_rows[i].section, section) == 0 && core_slice_is(name, key_rows[i].name))
            return &key_rows[i];
    return NULL;
}
