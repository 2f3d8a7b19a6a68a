/* An index as the search log has it: whose it is, what it is made of, and which record asked for
 * the file that it needs. Immutable and counted: any thread may hold one. */
#ifndef WALCAST_SEARCH_INDEX_ENTRY_H
#define WALCAST_SEARCH_INDEX_ENTRY_H

#include "core/core.h"

typedef struct search_entry {
    core_slice project, environment,
        uid;             /* end with a NUL that is not counted, as all texts here */
    bool is_table;       /* made of tables by a definition; else over HTTP */
    uint64_t generation; /* the record from which on the index is another one: names its file */
    uint64_t changed;    /* the last record that changed something of it */
    core_slice text;     /* the definition as it was put; of others the settings, a JSON object */
    core_slice facts;
    core_slice primary_key; /* of those made over HTTP; empty: not known yet */
    bool is_held;           /* its definition is in key-value, and goes with it */
    int64_t created_us, updated_us;
    /* What it was before, whose file answers until the new one is built; NULL: nothing, or it is
     * too long ago. Of table-backed ones. */
    const struct search_entry *previous;
    unsigned depth; /* of those before it */
} search_entry;

#define SEARCH_ENTRY_DEPTH_MAX 8

/* A copy of what `given` holds, with one reference; holds the previous one, or as much of that
 * chain as may be. NULL: memory is out. */
CORE_MUST_CHECK const search_entry *search_entry_new(const search_entry *given);
const search_entry *search_entry_hold(const search_entry *entry);
void search_entry_release(const search_entry *entry); /* NULL is allowed */

#endif
