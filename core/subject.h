/* Subjects: `{prefix}.{project_id}.{environment_id}.{table}.{OP}`, five tokens (DESIGN 3).
 *
 * A token is percent-encoded where a character is not allowed (`. * > % :`, white space, controls,
 * bytes above 0x7E stay as they are in UTF-8) and decodes back to what it was; one longer than
 * CORE_SUBJECT_TOKEN_MAX keeps its beginning and ends in `%~` and 16 hex digits of a hash, which
 * cannot be decoded (the run itself carries the full names). A table outside the home schema is
 * `schema:table`, each part encoded by itself; where no table applies the token is `_` (a table
 * that is named `_` is encoded as `%5F`). */
#ifndef WALCAST_CORE_SUBJECT_H
#define WALCAST_CORE_SUBJECT_H

#include "core/buffer.h"
#include "core/config.h"
#include "core/event.h"
#include "core/tenant.h"

#define CORE_SUBJECT_TOKEN_MAX 128
#define CORE_SUBJECT_MAX       512
#define CORE_SUBJECT_TYPE_SIZE 1024

/* What of a process's config goes into every subject. Texts live as long as the config. */
typedef struct {
    const char *prefix;
    const char *project;
    const char *environment;
    const char *home_schema; /* tables in it have no schema part; "public" by default */
    core_tenants tenants;    /* of a schema that is a tenant's, the project is the tenant's */
} core_subject_scope;
core_subject_scope core_subject_scope_of(const core_config *config);

/* One token, encoded, appended to `out`. An empty name gives `_`. Bytes that are not UTF-8 are
 * percent-encoded, so that a subject is always text. */
void core_subject_token_append(core_buffer *out, core_slice name);
/* Undoes a token (of `schema:table`: each part) into `out`, appended. False when it is not a valid
 * encoding or is shortened by a hash. */
CORE_MUST_CHECK bool core_subject_token_decode(core_slice token, core_buffer *out);

/* The subject of a change into `text` (NUL-terminated). `schema` and `table` may be empty (MESSAGE,
 * GAP). False when it does not fit. */
CORE_MUST_CHECK bool core_subject_change(const core_subject_scope *scope, core_slice schema,
                                         core_slice table, core_op op, char text[CORE_SUBJECT_MAX]);
/* The subject of an event in the stream of events: `{prefix}.events.{project}.{type}`, the type one
 * token whatever it holds. False when it does not fit. */
CORE_MUST_CHECK bool core_subject_event(const core_subject_scope *scope, core_slice type,
                                        char text[CORE_SUBJECT_MAX]);
/* True of a type that the event's subject cannot carry whole: `text` is the type percent-encoded as
 * the token would be, for the header `Walcast-Type`. False: the subject has all of it, or even the
 * text would be too long (then the type is known by its shortened token only). */
CORE_MUST_CHECK bool core_subject_type_long(core_slice type, char text[CORE_SUBJECT_TYPE_SIZE]);
/* Undoes that text into `out`, appended. False: it is none. */
CORE_MUST_CHECK bool core_subject_type_decode(core_slice text, core_buffer *out);
/* The filter of all changes of a table, whatever the operation. False when it does not fit. */
CORE_MUST_CHECK bool core_subject_filter_table(const core_subject_scope *scope, core_slice schema,
                                               core_slice table, char text[CORE_SUBJECT_MAX]);
/* The filter that a consumer of all changes of a project and environment uses:
 * `{prefix}.{project}.{environment}.*.*`; NULL project or environment: any. */
CORE_MUST_CHECK bool core_subject_filter(const core_subject_scope *scope,
                                         char text[CORE_SUBJECT_MAX]);
/* The subject of an addressed snapshot's rows, `{prefix}.snapshots.{project}.{id}`. False when it
 * does not fit. */
CORE_MUST_CHECK bool core_subject_snapshot(const core_subject_scope *scope, const char *id,
                                           char text[CORE_SUBJECT_MAX]);
/* The subject of the triggers' own streams, `{prefix}.{word}.{scope}.{last}`; `last` NULL: all of
 * them. The scope is the source's project, and where the process has several sources
 * `{project}:{environment}`. False when it does not fit. */
CORE_MUST_CHECK bool core_subject_work(const core_config *source, const char *word,
                                       const char *last, char text[CORE_SUBJECT_MAX]);
/* The subject of an audit record, `{prefix}.audit.{project}.{kind}`; `kind` is one word. False when
 * it does not fit. */
CORE_MUST_CHECK bool core_subject_audit(const char *prefix, const char *project, const char *kind,
                                        char text[CORE_SUBJECT_MAX]);
/* The subject of a stored broadcast, `{prefix}.realtime.{project}.{channel}`: the channel (a topic
 * without its `realtime:`) is one token whatever it holds. The stream WALCAST_REALTIME takes it,
 * and gateways hear it live. It names no environment, and a long channel's token is cut: the
 * message itself says both. False when it does not fit. */
CORE_MUST_CHECK bool core_subject_realtime_stored(const core_subject_scope *scope,
                                                  core_slice channel, char text[CORE_SUBJECT_MAX]);
/* The subject of one that is heard live only: six tokens, which no stream takes,
 * `{prefix}.realtime.{project}.{environment}.b.{channel}`. */
CORE_MUST_CHECK bool core_subject_realtime_live(const core_subject_scope *scope, core_slice channel,
                                                char text[CORE_SUBJECT_MAX]);
/* What one gateway tells the others about presence:
 * `{prefix}.realtime.{project}.{environment}.p.{node}`. */
CORE_MUST_CHECK bool core_subject_realtime_presence(const core_subject_scope *scope,
                                                    core_slice node, char text[CORE_SUBJECT_MAX]);
/* The filter of the three, `{prefix}.realtime.{project}.>`: one, so that what a gateway says is
 * heard in that order. It lets other environments' through. */
CORE_MUST_CHECK bool core_subject_filter_realtime(const core_subject_scope *scope,
                                                  char text[CORE_SUBJECT_MAX]);
/* What came by the filter: OTHERS is of another environment, or another project's presence. */
typedef enum {
    CORE_SUBJECT_REALTIME_OTHERS,
    CORE_SUBJECT_REALTIME_BROADCAST,
    CORE_SUBJECT_REALTIME_PRESENCE,
} core_subject_realtime;
/* `project` is the subject's token of it. */
core_subject_realtime core_subject_realtime_of(const core_subject_scope *scope, const char *subject,
                                               core_slice *project);
/* The filter of one operation of every table: `{prefix}.{project}.{environment}.*.{OP}`. */
CORE_MUST_CHECK bool core_subject_filter_op(const core_subject_scope *scope, core_op op,
                                            char text[CORE_SUBJECT_MAX]);
/* The filter of a source's stream: all its subjects and no other source's. False when it does not
 * fit. */
CORE_MUST_CHECK bool core_subject_filter_source(const core_config *source,
                                                char text[CORE_SUBJECT_MAX]);
/* Checks a project or environment id: not empty, not one of the reserved words (events, jobs,
 * workflows, triggers, realtime, snapshots, audit), at most 64 bytes. */
CORE_MUST_CHECK bool core_subject_id_valid(const char *id, core_error *error);

#endif
