/* What the files that read requests share: the table of parameters and what is set at the end. */
#ifndef WALCAST_SEARCH_INDEX_REQUEST_PRIVATE_H
#define WALCAST_SEARCH_INDEX_REQUEST_PRIVATE_H

#include "search-index/request.h"

#include <float.h>

typedef enum {
    REQUEST_TEXT,
    REQUEST_COUNT,
    REQUEST_BOOL,
    REQUEST_NAMES,
    REQUEST_CROPS,
    REQUEST_FILTER,
    REQUEST_SORTS,
    REQUEST_STRATEGY,
    REQUEST_THRESHOLD,
    REQUEST_HYBRID,   /* JSON: an object */
    REQUEST_EMBEDDER, /* GET: its members by themselves */
    REQUEST_RATIO,
    REQUEST_VECTOR,
    REQUEST_PLACE, /* of the change stream */
    REQUEST_RAW,   /* JSON, kept as it is */
} request_kind;

enum {
    REQUEST_IN_JSON = 1,
    REQUEST_IN_QUERY = 2,
    REQUEST_IN_MULTI = 4,
    REQUEST_ANYWHERE = REQUEST_IN_JSON | REQUEST_IN_QUERY | REQUEST_IN_MULTI,
};

typedef struct {
    const char *name;
    search_code code;
    request_kind kind;
    size_t target; /* in search_request */
    unsigned where;
} request_parameter;

typedef struct {
    core_arena *arena;
    search_request *request;
    search_refusal *refusal;
    const char *location;
    unsigned where; /* one of REQUEST_IN_ */
    search_filter_budget budget;
    core_json_reader json;
    search_crop *crops; /* the request's: lengths left out are set at the end */
    bool has_page;
    bool has_hits_per_page;
    bool has_ratio;
} request_reader;

/* The parameter of that name in that place; NULL: there is none. `name` has no escapes. */
const request_parameter *request_parameter_find(core_slice name, unsigned where);
/* "Unknown field `x`: did you mean `y`? expected one of ..." */
bool request_unknown_refuse(request_reader *reader, core_slice name);
bool request_full_refuse(request_reader *reader);
/* A copy in the arena, never NULL. */
bool request_keep(request_reader *reader, core_slice text, core_slice *kept);

core_slice request_blanks_trim(core_slice text);

/* Values in both forms. `unknown` is how an error names the place: "at `.x`", "for parameter `x`".
 */
bool request_strategy_set(request_reader *reader, core_slice text, const char *unknown);
/* From 0 to 1. */
bool request_ratio_check(double value);
bool request_crops_set(request_reader *reader, const search_names *names);
bool request_sorts_set(request_reader *reader, const search_names *names, search_code code);
/* Notes that it was given, for what one parameter says of another: request_finish, at the end. */
void request_note(request_reader *reader, const request_parameter *parameter);
bool request_finish(request_reader *reader);

/* Whether a vector can hold it. */
static inline bool request_float_check(double number) {
    return number >= -FLT_MAX && number <= FLT_MAX;
}

static inline void *request_target(request_reader *reader, const request_parameter *parameter) {
    return (uint8_t *)reader->request + parameter->target;
}

#endif
