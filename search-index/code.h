/* Why a request is refused, in the form that Meilisearch's clients read: a sentence, a code with
 * its type and HTTP status, and a link. The codes are one table (code_table.h). Pure. */
#ifndef WALCAST_SEARCH_INDEX_CODE_H
#define WALCAST_SEARCH_INDEX_CODE_H

#include "core/core.h"

#define SEARCH_REFUSAL_MAX 1024

typedef enum {
#define X(name, text, status, type) SEARCH_CODE_##name,
#include "search-index/code_table.h"
#undef X
    SEARCH_CODE_NONE,
} search_code;

typedef struct {
    const char *name; /* `invalid_search_filter` */
    unsigned status;
    const char *type; /* `invalid_request`, `auth`, `internal`, `system` */
} search_code_row;

/* Not of SEARCH_CODE_NONE. */
const search_code_row *search_code_look(search_code code);
/* SEARCH_CODE_NONE: there is none of that name. */
search_code search_code_find(core_slice name);

typedef struct {
    search_code code; /* SEARCH_CODE_NONE: nothing is refused */
    char message[SEARCH_REFUSAL_MAX];
} search_refusal;

/* Fills `refusal` (ignored when NULL) and returns false. Text past the maximum is cut, at a
 * character. */
bool search_refuse(search_refusal *refusal, search_code code, const char *format, ...)
    CORE_PRINTF(3, 4);
/* The same of an error by its class: what is wrong with the request is `input`'s. */
bool search_refuse_error(search_refusal *refusal, search_code input, const core_error *error);

/* {"message":…,"code":…,"type":…,"link":…}. */
void search_refusal_write(const search_refusal *refusal, core_json_writer *json);

#endif
