/* The keys of what is recorded and how much may be asked: audit.*, limits.*: rows of the table in
 * config_table.c, which includes them. No guard. */
/* clang-format off */
    {.key = "audit.requests",
     .type = CORE_CONFIG_CHOICE,
     .initial = "all",
     .choices = "none|refused|all",
     .doc = "Which HTTP requests and joins are recorded in the stream `{nats.stream}_AUDIT` "
            "(docs/AUDIT.md): `all`; `refused`, those that were refused; or `none`. Probes of "
            "`/health/*` and `/metrics`, and the console's own files, only when they are refused. "
            "Administrative acts always are."},
    {.key = "audit.max_age",
     .type = CORE_CONFIG_DURATION,
     .initial = "30d",
     .min = 0,
     .max = 3650 * DAY,
     .doc = "How long audit records are kept; 0 keeps them as long as there is room."},
    {.key = "audit.max_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "1GiB",
     .min = MIB,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "Size of the stream of audit records; at the maximum the oldest make room for new "
            "ones."},
    /* clang-format on */
