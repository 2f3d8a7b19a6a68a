/* What stands behind the `?` of a request, and the parts of its path. Pure. */
#ifndef WALCAST_SEARCH_INDEX_PARAMS_H
#define WALCAST_SEARCH_INDEX_PARAMS_H

#include "search-index/code.h"

#define SEARCH_PARAMS_MAX 64

typedef struct {
    core_slice name, value; /* percent-encoding undone */
} search_param;

typedef struct {
    search_param items[SEARCH_PARAMS_MAX];
    size_t count;
} search_params;

/* `%41` undone, and `+` where `plus_is_blank`; in the arena. False: it is malformed or no UTF-8, or
 * memory is out. */
CORE_MUST_CHECK bool search_percent_undo(core_slice text, bool plus_is_blank, core_arena *arena,
                                         core_slice *out);
/* Where the credential may stand (`apikey`), it is passed over. */
CORE_MUST_CHECK bool search_params_read(core_slice query, core_arena *arena, search_params *params,
                                        search_refusal *refusal);
/* NULL: it was not given. */
const core_slice *search_params_find(const search_params *params, const char *name);
/* All that were given are among `names`, a list ended by NULL. */
CORE_MUST_CHECK bool search_params_known(const search_params *params, const char *const *names,
                                         search_refusal *refusal);
/* `*number` stays as it is where none was given. */
CORE_MUST_CHECK bool search_params_number(const search_params *params, const char *name,
                                          search_code code, uint64_t *number,
                                          search_refusal *refusal);
CORE_MUST_CHECK bool search_params_bool(const search_params *params, const char *name,
                                        search_code code, bool *flag, search_refusal *refusal);
/* The texts between commas, in the arena; none where it was not given, or is `*` alone. Of an empty
 * value one empty text, so that it is not taken for all. */
CORE_MUST_CHECK bool search_params_list(const search_params *params, const char *name,
                                        core_arena *arena, core_slice **texts, size_t *count);

#endif
