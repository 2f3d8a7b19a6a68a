/* The keys of search indexes: rows of the table in config_table.c, which includes them. No guard.
 */
/* clang-format off */
    {.key = "search.dir",
     .type = CORE_CONFIG_TEXT,
     .initial = ".walcast/search",
     .doc = "Where the files of search indexes are. Of one process alone; what is lost of them is "
            "built again from the streams."},
    {.key = "search.definitions",
     .type = CORE_CONFIG_TEXT,
     .initial = "indexes/",
     .doc = "Directory of the definitions of search indexes (`*.yaml`, `*.yml`, `*.json`; see "
            "docs/SEARCH.md), looked at once a second; one that does not exist has none."},
    {.key = "search.max_indexes",
     .type = CORE_CONFIG_INTEGER,
     .initial = "1000",
     .min = 1,
     .max = 10000,
     .unit = "indexes",
     .doc = "Search indexes of one source, of all its projects together; a further one is "
            "refused."},
    {.key = "search.log_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "256MiB",
     .min = MIB,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "Size of the stream of what was asked of search indexes (`{nats.stream}_SEARCH`: "
            "definitions, settings, documents of indexes made over HTTP), from which each node "
            "builds them; at the maximum further writes are refused. Made with the first write."},
    {.key = "search.columns_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "64MiB",
     .min = MIB,
     .max = TIB,
     .unit = "bytes",
     .doc = "Memory that one index's filterable, sortable and facet attributes may take; a "
            "document that does not fit is refused."},
    {.key = "search.cache_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "16MiB",
     .min = MIB,
     .max = TIB,
     .unit = "bytes",
     .doc = "Page cache of one index's writer; each of its readers has a quarter of it."},
    {.key = "search.tasks_kept",
     .type = CORE_CONFIG_INTEGER,
     .initial = "10000",
     .min = 100,
     .max = 1000000,
     .unit = "tasks",
     .doc = "Ended tasks of one source that are remembered, about 500 bytes each; the oldest are "
            "forgotten first."},
    /* clang-format on */
