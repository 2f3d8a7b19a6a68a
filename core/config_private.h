/* What the files of the configuration share; see config.h for what it promises.
 *
 * config_table.c declares the keys, config_yaml.c and config_env.c turn their source into entries,
 * config.c applies entries to the values, config_text.c reads and prints one value, config_check.c
 * holds the keys' own conditions, config_problem.c tells what is wrong, config_print.c shows it. */
#ifndef WALCAST_CORE_CONFIG_PRIVATE_H
#define WALCAST_CORE_CONFIG_PRIVATE_H

#include "core/buffer.h"
#include "core/config.h"

#define CORE_CONFIG_FILE_MAX_BYTES ((size_t)1024 * 1024)
#define CORE_CONFIG_KEY_MAX        128 /* longest dotted path that is looked at */
#define CORE_CONFIG_ORIGIN_MAX     512
#define CORE_CONFIG_ENV_PREFIX     "WALCAST_"
#define CORE_CONFIG_ENV_FILE       "WALCAST_CONFIG" /* names the file; no key */
#define CORE_CONFIG_SHOWN_MAX      160              /* of a value in a message */

/* Later ones win. A key may be set once in each. */
typedef enum {
    CORE_CONFIG_LAYER_DEFAULT,
    CORE_CONFIG_LAYER_FILE,
    CORE_CONFIG_LAYER_ENVIRONMENT,
    CORE_CONFIG_LAYER_COMMAND,
} core_config_layer;

typedef struct {
    bool set;
    char *text;   /* TEXT, CHOICE */
    char **items; /* LIST */
    size_t count;
    int64_t number; /* INTEGER, BYTES, DURATION (ms), BOOL (0, 1) */
    char *origin;
    core_config_layer layer;
} core_config_value;

struct core_config {
    core_config_value *values;                     /* in the table's order */
    char *source;                                  /* of a further source: its name; else NULL */
    char *stream_base;                             /* the same: the process's nats.stream */
    bool one_of_many;                              /* the process has several */
    const core_config *process;                    /* of a further source; while that lives */
    core_config *sources[CORE_CONFIG_SOURCES_MAX]; /* of the process: the further ones, owned */
    size_t source_count;
};

/* One key as a source gives it: `list` items, or one text. Borrowed for the call. */
typedef struct {
    const char *key;
    const char *const *items;
    size_t count;
    bool list;
    const char *origin;
    core_config_layer layer;
} core_config_entry;

typedef struct {
    core_config *config;
    FILE *report;
    size_t problems;
} core_config_loader;

/* config.c */
/* Without a value for any key; NULL when memory is out. */
CORE_MUST_CHECK core_config *core_config_new(void);
/* Checks the entry and makes it the key's value; problems go to the report. */
void core_config_apply(core_config_loader *loader, const core_config_entry *entry);
/* The key's row, NULL when there is none. */
const core_config_row *core_config_row_find(const char *key);
const core_config_value *core_config_value_at(const core_config *config,
                                              const core_config_row *row);

/* config_source.c */
/* `postgres.url` of `sources.acme.postgres.url`; "" of what names only a source; else the key. */
const char *core_config_key_bare(const char *key);
/* The gathered settings of the source that the entry's key names; NULL and told when it may not be
 * set there. */
core_config *core_config_overlay(core_config_loader *loader, const core_config_entry *entry);
/* When every key by itself is valid: makes each source's whole configuration, and tells where two
 * do not get along. */
void core_config_sources_finish(core_config_loader *loader);

/* config_yaml.c: `text` is the whole file, `name` what messages call it. */
void core_config_yaml_apply(core_config_loader *loader, core_slice text, const char *name);

/* config_env.c: `environment` as environ(7) has it. */
void core_config_env_apply(core_config_loader *loader, char *const *environment);
/* The variable of a key: WALCAST_POSTGRES_URL. */
void core_config_env_name(const char *key, char name[CORE_CONFIG_KEY_MAX]);

/* config_text.c */
/* Reads the entry as the row's type into a fresh value. False with "expected ..." in `error`. */
CORE_MUST_CHECK bool core_config_value_parse(const core_config_row *row,
                                             const core_config_entry *entry,
                                             core_config_value *value, core_error *error);
void core_config_value_fini(core_config_value *value);
/* False when memory is out: then it is as good as not set. */
CORE_MUST_CHECK bool core_config_value_copy(core_config_value *to, const core_config_value *from);
/* A number of the row's type in the form that a user would write, appended. */
void core_config_number_append(core_buffer *out, core_config_type type, int64_t number);
/* "a duration such as 7d, 12h or 500ms". */
const char *core_config_type_expected(core_config_type type);

/* config_problem.c */
/* One line: "ORIGIN: MESSAGE". Counts it; lines past a maximum are only counted. */
void core_config_problem(core_config_loader *loader, const char *origin, const char *format, ...)
    CORE_PRINTF(3, 4);
/* Says how many lines were left out, if any. */
void core_config_problems_end(const core_config_loader *loader);
/* "walcast.yaml:3: nats.max_aeg: unknown key; did you mean nats.max_age?" */
void core_config_unknown(core_config_loader *loader, const char *origin, const char *key);
/* The entry as messages may show it: quoted, cut, controls as '?', secrets and passwords as ***.
 * `row` may be NULL. */
void core_config_shown(const core_config_row *row, const core_config_entry *entry,
                       char text[CORE_CONFIG_SHOWN_MAX]);
/* The key whose name (`variable`: whose variable's name) is nearest to `name`; NULL when none is.
 */
const char *core_config_nearest(const char *name, bool variable);

/* config_check.c: a row's `check`. */
bool core_config_check_listen(const char *text, core_error *error);
bool core_config_check_postgres_url(const char *text, core_error *error);
bool core_config_check_nats_urls(const char *text, core_error *error);
bool core_config_check_http_url(const char *text, core_error *error);
bool core_config_check_network(const char *text, core_error *error);
bool core_config_check_allowed(const char *text, core_error *error);
bool core_config_check_origin(const char *text, core_error *error);
bool core_config_check_tenant(const char *text, core_error *error);
bool core_config_check_tier(const char *text, core_error *error);
bool core_config_check_slot(const char *text, core_error *error);
bool core_config_check_identifier(const char *text, core_error *error);
bool core_config_check_tenant_schema(const char *text, core_error *error);
bool core_config_check_claim(const char *text, core_error *error);
bool core_config_check_table(const char *text, core_error *error);
bool core_config_check_stream(const char *text, core_error *error);
bool core_config_check_prefix(const char *text, core_error *error);
/* Conditions over several keys; run when every key by itself is valid. */
void core_config_check_together(core_config_loader *loader);

#endif
