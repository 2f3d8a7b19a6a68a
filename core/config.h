/* The configuration: one declared table gives parsing, defaults, validation, help and reference.
 *
 * Values come from the defaults, then from the YAML file, then from the environment
 * (`postgres.url` <- WALCAST_POSTGRES_URL; an empty variable counts as absent). Every error names
 * file and line (or the variable), the key, the value, what was expected and how to mend it; all
 * errors of a file are reported, not only the first. Unknown keys are errors, with the nearest
 * known key. Read-only after loading, so any thread may read. Secret values are never printed. */
#ifndef WALCAST_CORE_CONFIG_H
#define WALCAST_CORE_CONFIG_H

#include "core/error.h"

#include <stdio.h>

typedef struct core_config core_config;

typedef enum {
    CORE_CONFIG_TEXT,
    CORE_CONFIG_LIST,     /* YAML sequence, or comma-separated text */
    CORE_CONFIG_BOOL,     /* true, false */
    CORE_CONFIG_INTEGER,  /* plain number within min..max */
    CORE_CONFIG_BYTES,    /* number with B, KB, MB, GB, KiB, MiB, GiB; kept in bytes */
    CORE_CONFIG_DURATION, /* number with ms, s, m, h, d; kept in milliseconds */
    CORE_CONFIG_CHOICE,   /* one word of `choices` */
} core_config_type;

typedef struct {
    const char *key; /* "nats.max_age" */
    core_config_type type;
    bool secret;         /* shown as *** */
    const char *initial; /* in the form a user would write; NULL: none */
    const char *choices; /* "info|debug" for CHOICE, and for each item of a LIST */
    int64_t min, max;    /* INTEGER, BYTES, DURATION */
    const char *unit;    /* for the reference page: "bytes", "messages", "" */
    const char *doc;     /* one sentence; what happens at the maximum where it is a limit */
    /* What else a text, or each item of a list, must hold; NULL: nothing. Fills `error` with
     * "expected ...". */
    bool (*check)(const char *text, core_error *error);
} core_config_row;

/* The table itself (config_table.c). */
const core_config_row *core_config_rows(size_t *count);

/* Loads defaults, then `path` (NULL: what WALCAST_CONFIG names, else `walcast.yaml` when it
 * exists), then the environment. On error prints every problem, one line each, to `report` and
 * returns NULL (exit code 2). */
CORE_MUST_CHECK core_config *core_config_load(const char *path, FILE *report);
void core_config_free(core_config *config);

/* By key; the key must be in the table and of the kind asked for (a bug otherwise: aborts). Text
 * lives as long as the config. */
const char *core_config_text(const core_config *config, const char *key); /* NULL when not set */
int64_t core_config_integer(const core_config *config, const char *key);  /* also BYTES, ms */
bool core_config_bool(const core_config *config, const char *key);
size_t core_config_list_count(const core_config *config, const char *key);
const char *core_config_list_item(const core_config *config, const char *key, size_t index);
/* The items, as long as the config; of an empty list NULL. */
const char *const *core_config_list_items(const core_config *config, const char *key);
/* Where the value came from, for messages: "walcast.yaml:12", "WALCAST_POSTGRES_URL", "default". */
const char *core_config_origin(const core_config *config, const char *key);

/* ---- Sources ----
 * A process may carry several: its own keys are the first source's, `sources.NAME.KEY` further
 * ones', each a whole configuration of its own. */
#define CORE_CONFIG_SOURCES_MAX 64
size_t core_config_source_count(const core_config *config); /* the first one counted */
const core_config *core_config_source(const core_config *config, size_t index);
/* NULL of the first. */
const char *core_config_source_name(const core_config *config);
/* The process's source of that name, asked of any of its sources; NULL: there is none. */
const core_config *core_config_named(const core_config *config, const char *name);
/* The process has others beside this one. */
bool core_config_one_of_many(const core_config *config);
/* The process's nats.stream, by which all sources' common streams and buckets are named. */
const char *core_config_stream_base(const core_config *config);
/* The named source's configuration, the caller's; `config` is freed. NULL: there is none of that
 * name. */
CORE_MUST_CHECK core_config *core_config_source_detach(core_config *config, const char *name,
                                                       core_error *error);

/* Sets one value as if from the command line; `origin` is e.g. "--roles". False when invalid. */
CORE_MUST_CHECK bool core_config_set(core_config *config, const char *key, const char *value,
                                     const char *origin, core_error *error);

/* Reads an INTEGER, BYTES or DURATION (to ms) as a config value is read, for command lines. The
 * error's text is "expected ...". */
CORE_MUST_CHECK bool core_config_number_read(core_config_type type, const char *text, int64_t min,
                                             int64_t max, int64_t *number, core_error *error);

/* The reference page (Markdown) made from the table. */
void core_config_reference(FILE *out);
/* Every key with its value (secrets hidden, URLs without password) and origin. */
void core_config_print(const core_config *config, FILE *out, bool json);

/* `url` with its password replaced by ***, for logs; cut to fit. */
void core_config_redact_url(const char *url, char *text, size_t text_size);

#endif
