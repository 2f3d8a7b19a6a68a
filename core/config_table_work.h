/* The keys of how triggers' deliveries are kept and shared: rows of the table in config_table.c,
 * which includes them. No guard. */
/* clang-format off */
    {.key = "triggers.max_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "512MiB",
     .min = MIB,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "Size of the stream of deliveries to be made (`{nats.stream}_TRIGGERS`); at the maximum "
            "changes wait in the change stream until deliveries have been made."},
    {.key = "triggers.parked_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "512MiB",
     .min = MIB,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "Size of the stream of deliveries that wait for their next attempt, or for a trigger "
            "that is held back (`{nats.stream}_PARKED`). What is held back takes at most half of "
            "it, and one trigger no more than it leaves free of that half, nor where schemas are "
            "tenants all of one project; what fails and finds no room becomes a dead letter."},
    {.key = "triggers.dlq_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "256MiB",
     .min = MIB,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "Size of the stream of dead letters (`{nats.stream}_DLQ`); at the maximum deliveries "
            "that would be given up wait instead, and readiness says so."},
    {.key = "triggers.dlq_project_share",
     .type = CORE_CONFIG_INTEGER,
     .initial = "25",
     .min = 1,
     .max = 100,
     .unit = "percent",
     .doc = "Where schemas are tenants (`postgres.tenant_schemas`): how much of `triggers.dlq_bytes` "
            "one project's dead letters may have. When the stream is more than half full, the "
            "oldest of a project that has more are removed, which is logged and counted; 100: "
            "never."},
    {.key = "triggers.history_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "256MiB",
     .min = 16 * MIB,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "Size of the stream of attempts and their outcomes (`{nats.stream}_DELIVERIES`); the "
            "oldest are removed before it is full."},
    {.key = "triggers.history_age",
     .type = CORE_CONFIG_DURATION,
     .initial = "7d",
     .min = MINUTE,
     .max = 3650 * DAY,
     .doc = "How long outcomes are kept at least, where `triggers.history_bytes` has room."},
    {.key = "triggers.lease",
     .type = CORE_CONFIG_DURATION,
     .initial = "6s",
     .min = 2 * SECOND,
     .max = 10 * MINUTE,
     .doc = "How long a process that has vanished keeps its share of the deliveries from others; "
            "the same on all nodes."},
    {.key = "triggers.memory",
     .type = CORE_CONFIG_BYTES,
     .initial = "8MiB",
     .min = MIB,
     .max = 16 * GIB,
     .unit = "bytes",
     .doc = "Deliveries of one source that are held in memory; what is beyond waits in the "
            "stream."},
    {.key = "triggers.parked_keys",
     .type = CORE_CONFIG_INTEGER,
     .initial = "65536",
     .min = 1024,
     .max = 100000,
     .unit = "keys",
     .doc = "Keys of one source whose deliveries have failed and wait for a next attempt, about "
            "300 bytes each. A trigger has no more of them than it leaves free for others, nor have "
            "where schemas are tenants all of one project; its further ones wait unattempted "
            "meanwhile."},
    {.key = "triggers.sql_url",
     .type = CORE_CONFIG_TEXT,
     .doc = "Where statements of triggers (`do: sql`) are run, with the rights of which role; by "
            "default `postgres.url`."},
    {.key = "triggers.sql_databases",
     .type = CORE_CONFIG_LIST,
     .doc = "Further sources (`sources.NAME`) on whose databases this source's own triggers may "
            "run statements."},
    {.key = "triggers.sql_connections",
     .type = CORE_CONFIG_INTEGER,
     .initial = "4",
     .min = 4,
     .max = 64,
     .unit = "connections",
     .doc = "Connections to each such database. One trigger takes three at the most, so that one "
            "whose statements are slow does not hold up the others."},
    {.key = "workflows.max_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "64MiB",
     .min = MIB,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "Size of the stream of runs that were asked for (`{nats.stream}_WORKFLOWS`); at the "
            "maximum further ones are refused, and tried again."},
    /* clang-format on */
