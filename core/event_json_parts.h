/* What the files that write and read JSON messages share: operations, a message's members and their
 * values. Private to them.
 *
 * A member that is absent has an empty slice and leaves its target as it was. Texts without escapes
 * stay slices of the payload, others are made in the arena. */
#ifndef WALCAST_CORE_EVENT_JSON_PARTS_H
#define WALCAST_CORE_EVENT_JSON_PARTS_H

#include "core/event_json.h"

/* Operations as Debezium calls them; `s` and `g` are Walcast's own. NULL: none (CORE_OP_NONE). */
extern const char *const event_json_ops[CORE_OP_GAP + 1];

typedef struct {
    core_slice payload;
    core_arena *arena; /* NULL for a part */
    core_error *error;
} event_json_source;

typedef struct {
    const char *name;
    core_slice *json; /* the value's whole text */
} event_json_member;

/* Fills the error with what is wrong; returns false. */
bool event_json_refuse(const event_json_source *source, const char *what, const char *reason);
bool event_json_no_room(const event_json_source *source);

/* The object's members of these names; others are skipped. `what` names it in errors. */
CORE_MUST_CHECK bool event_json_members(const event_json_source *source, core_slice object,
                                        const char *what, const event_json_member *members,
                                        size_t count);
/* One value of the object or array at hand, whole; `*more` false at its close. Malformed: false. */
CORE_MUST_CHECK bool event_json_item(core_json_reader *reader, core_slice *key, core_slice *json,
                                     bool *more);

CORE_MUST_CHECK bool event_json_unsigned(const event_json_source *source, core_slice json,
                                         const char *what, uint64_t max, uint64_t *number);
CORE_MUST_CHECK bool event_json_u32(const event_json_source *source, core_slice json,
                                    const char *what, uint32_t *number);
CORE_MUST_CHECK bool event_json_signed(const event_json_source *source, core_slice json,
                                       const char *what, int64_t *number);
CORE_MUST_CHECK bool event_json_bool(const event_json_source *source, core_slice json,
                                     const char *what, bool *value);
CORE_MUST_CHECK bool event_json_lsn(const event_json_source *source, core_slice json,
                                    const char *what, core_lsn *lsn);
/* A string, or its bytes in `base64` where they are not UTF-8; null is empty. */
CORE_MUST_CHECK bool event_json_bytes(const event_json_source *source, core_slice json,
                                      core_slice base64, const char *what, core_slice *bytes);
/* A string's text between its quotes; false when it is no string. */
CORE_MUST_CHECK bool event_json_raw(core_slice json, core_slice *raw);
static inline bool event_json_is_null(core_slice json) {
    return json.length == 0 || core_slice_is(json, "null");
}

/* ---- event_json_tuple.c ---- */

/* A relation, and its columns' names as the message has them, by which rows refer to them. */
typedef struct {
    core_relation relation;
    core_slice *names;
} event_json_relation;

CORE_MUST_CHECK bool event_json_relation_read(const event_json_source *source, core_slice object,
                                              event_json_relation *relation);

/* The members of a message that one image of the row is made of. */
typedef struct {
    core_slice values; /* `before` or `after` */
    core_slice exact;  /* of it */
    core_slice unchanged;
    core_slice read_later;
    core_old_kind old_kind; /* NONE: the new image */
} event_json_image;

CORE_MUST_CHECK bool event_json_tuple_read(const event_json_source *source,
                                           const event_json_relation *relation,
                                           const event_json_image *image, core_tuple *tuple);

#endif
