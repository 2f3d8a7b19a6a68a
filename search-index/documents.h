/* Documents that were sent to an index made over HTTP, put into its file: the primary key found,
 * each document's id checked, what an update leaves out filled up from the document as it is.
 *
 * What is wrong with the documents fails the task as a whole, before anything of it is written;
 * every node comes to the same end. Deterministic; one thread, the index's writer. */
#ifndef WALCAST_SEARCH_INDEX_DOCUMENTS_H
#define WALCAST_SEARCH_INDEX_DOCUMENTS_H

#include "search-index/backend.h"
#include "search-index/code.h"

/* What one task asks for. */
typedef struct {
    uint64_t sequence;      /* of its record in the search log: what is later wins */
    core_slice index;       /* uid, for messages */
    core_slice primary_key; /* the index's, or what the request says; empty: not known */
    core_slice documents;   /* a JSON array of objects (payload.h) */
    bool is_update;         /* members that a document leaves out stay as they are */
} search_documents_asked;

typedef struct {
    uint64_t received, indexed;
    core_slice primary_key; /* that was found, in the arena; empty: there are no documents */
    /* The task failed: nothing was written; or where the backend itself refused a document, all but
     * that one. */
    search_refusal refusal;
} search_documents_result;

/* Everything goes into the open group, which is committed in between where it would be too large,
 * under `position`; the last part is for the caller to commit. False: the backend failed, the task
 * is to be tried again. */
CORE_MUST_CHECK bool search_documents_put(search_backend *backend,
                                          const search_documents_asked *asked,
                                          const search_position *position, core_arena *arena,
                                          search_documents_result *result, core_error *error);
/* The documents of these ids go; of those that are there `*removed` are counted. `ids` is a JSON
 * array of strings and numbers. */
CORE_MUST_CHECK bool search_documents_remove(search_backend *backend, uint64_t sequence,
                                             core_slice ids, const search_position *position,
                                             uint64_t *removed, core_error *error);

/* The attribute that is the primary key, by the first document: the one whose name ends with `id`.
 * False: there is none, or several. */
CORE_MUST_CHECK bool search_primary_key_guess(core_slice document, core_slice index,
                                              core_arena *arena, core_slice *primary_key,
                                              search_refusal *refusal);
/* The document's id by its primary key, which may be a path (`a.b`). */
CORE_MUST_CHECK bool search_document_id(core_slice document, core_slice primary_key,
                                        core_arena *arena, core_slice *id, search_refusal *refusal);
/* A string of letters, digits, `-` and `_`, or a whole number. */
CORE_MUST_CHECK bool search_document_id_ok(core_slice id);
/* `document` with those members of `kept` that it leaves out, first. */
void search_document_merge(core_slice kept, core_slice document, core_buffer *out);

#endif
