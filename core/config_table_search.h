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
            "builds them; at the maximum further writes are refused. Made with the first write, and "
            "compacted once it is half full, or where little would go three quarters."},
    {.key = "search.base_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "512MiB",
     .min = MIB,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "Size of the stream of what the search log has come to (`{nats.stream}_SEARCHBASE`: the "
            "documents of indexes made over HTTP, as they are), which lets the log forget; while it "
            "is written anew it holds them twice. Where they do not fit the log is not compacted, "
            "and a warning says so. Made with the first compaction."},
    {.key = "search.threads",
     .type = CORE_CONFIG_INTEGER,
     .initial = "2",
     .min = 1,
     .max = 64,
     .unit = "threads",
     .doc = "Threads that answer queries of one source, each with a reader of its own of the "
            "indexes that it was asked for last."},
    {.key = "search.queue",
     .type = CORE_CONFIG_INTEGER,
     .initial = "256",
     .min = 1,
     .max = 65536,
     .unit = "requests",
     .doc = "Requests of one source that wait for such a thread; a further one is answered 503."},
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
