/* A token's payload as an object of claims, each name once, and what of it Walcast acts on.
 *
 * Private to auth. The members' values stay JSON text that points into the payload; names are
 * undone from their escapes. Numbers stay text until they are compared as times, exactly. */
#ifndef WALCAST_AUTH_CLAIMS_H
#define WALCAST_AUTH_CLAIMS_H

#include "auth/auth.h"

#define AUTH_CLAIMS_MAX 128 /* members of a payload; one with more is refused */

typedef struct {
    core_slice name; /* into claims_set.names */
    core_json_kind kind;
    core_slice value; /* the whole value; a string's text without its quotes, escapes not undone */
} auth_claim;

/* Embedded by the caller; `payload` must outlive it. */
typedef struct {
    core_buffer names;
    size_t count;
    auth_claim claims[AUTH_CLAIMS_MAX]; /* sorted by name */
} auth_claim_set;

/* AUTH_OK, AUTH_MALFORMED when it is not one JSON object in UTF-8, or AUTH_CLAIM_INVALID when a
 * name comes twice or there are too many. `_fini` in every case. */
CORE_MUST_CHECK auth_verdict auth_claim_set_parse(auth_claim_set *set, core_slice payload);
void auth_claim_set_fini(auth_claim_set *set);
/* NULL when there is none or it is null. */
const auth_claim *auth_claim_find(const auth_claim_set *set, const char *name);

/* The claim at a path: `role`, or `app_metadata.role` for a member of an object, or `roles.0` for
 * an element of an array. Names may have dots themselves: at each level the longest name that is
 * there counts, so that `https://example.com/role` is one. `claim->kind` is CORE_JSON_NULL when
 * there is none or it is null. AUTH_CLAIM_INVALID when a name on the way comes twice. */
CORE_MUST_CHECK auth_verdict auth_claim_at(const auth_claim_set *set, const char *path,
                                           auth_claim *claim);
/* A string claim into `text`; left as it is when absent. AUTH_CLAIM_INVALID when it is no string,
 * empty, holds a NUL or does not fit. */
CORE_MUST_CHECK auth_verdict auth_claim_text(const auth_claim_set *set, const char *path,
                                             char text[AUTH_CLAIM_MAX]);
/* Whether it is that string, or an array that holds it. */
bool auth_claim_has(const auth_claim *claim, const char *text);
/* The scopes that an array of strings or a string with blanks between words names; words that name
 * none count for nothing. */
unsigned auth_claim_scopes(const auth_claim *claim);
/* The set as JSON, with `role` as its member "role". Check the buffer afterwards. */
void auth_claim_set_write(const auth_claim_set *set, const char *role, core_buffer *out);
/* A NumericDate (RFC 7519 section 2: seconds since 1970, perhaps with a fraction) in microseconds,
 * rounded down, held at the ends of int64. `*present` false when absent. */
CORE_MUST_CHECK auth_verdict auth_claim_time(const auth_claim_set *set, const char *name,
                                             bool *present, int64_t *time_us);
/* Keyed with `secret`, so that nobody who can put text of his own into a token can look for two
 * that collide. Left out: exp, iat, nbf, jti. False when the MAC fails or memory is out. */
CORE_MUST_CHECK bool auth_claim_set_hash(const auth_claim_set *set, core_slice secret,
                                         uint64_t *hash);

#endif
