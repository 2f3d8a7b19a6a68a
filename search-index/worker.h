/* One of the threads that answer requests, and what it keeps between two of them: an arena, readers
 * of the indexes that were asked last, a connection to the search log. Used by that thread alone.
 */
#ifndef WALCAST_SEARCH_INDEX_WORKER_H
#define WALCAST_SEARCH_INDEX_WORKER_H

#include "search-index/definition.h"
#include "search-index/host.h"
#include "search-index/kind.h"
#include "search-index/log.h"

#define SEARCH_READERS_MAX  16 /* of one thread; the one that was used longest ago goes */
#define SEARCH_WORKER_ARENA ((size_t)96 << 20)

typedef struct search_worker search_worker;

CORE_MUST_CHECK search_worker *search_worker_new(search_host *host, core_error *error);
void search_worker_free(search_worker *worker); /* NULL is allowed */
search_host *search_worker_host(search_worker *worker);
/* Of one request; reset with the next. */
core_arena *search_worker_arena(search_worker *worker);

/* A reader of the index, the worker's; valid until the next call. The caller holds `open`. NULL: it
 * cannot be had. */
CORE_MUST_CHECK search_reader *search_worker_reader(search_worker *worker, search_open *open,
                                                    core_error *error);
/* Beside the reader, of the same life: what takes words from its texts, and its definition, NULL of
 * an index that was made over HTTP. */
CORE_MUST_CHECK search_tokenizer *search_worker_tokenizer(search_worker *worker, search_open *open,
                                                          search_schema *schema, core_error *error);
CORE_MUST_CHECK bool search_worker_definition(search_worker *worker, search_open *open,
                                              const search_definition **definition,
                                              core_error *error);
/* Lets readers go whose index does not answer any more, so that its file can be removed. */
void search_worker_tidy(search_worker *worker);
/* NULL: memory is out. */
CORE_MUST_CHECK search_log *search_worker_log(search_worker *worker, core_error *error);
/* Definitions in key-value, and what holds one against the schema. NULL: memory is out. */
CORE_MUST_CHECK fanout_definitions *search_worker_definitions(search_worker *worker,
                                                              core_error *error);
CORE_MUST_CHECK search_check *search_worker_check(search_worker *worker, core_error *error);
/* Of the source's database; connects when there is none, which blocks. */
CORE_MUST_CHECK pg_connection *search_worker_database(search_worker *worker, core_error *error);

#endif
