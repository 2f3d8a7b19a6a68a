/* A hit as a search's answer has it: the attributes that were asked for and may be shown,
 * `_formatted` with highlights and crops, `_matchesPosition`.
 *
 * Attributes are dotted paths, arrays gone into; a name stands for all beneath it and `*` for all.
 * In `_formatted` numbers are texts, as Meilisearch has them, and beside what is formatted stands
 * what was asked for. Positions are bytes. One formatter serves the hits of one answer, one thread
 * at a time. */
#ifndef WALCAST_SEARCH_INDEX_FORMAT_H
#define WALCAST_SEARCH_INDEX_FORMAT_H

#include "search-index/excerpt.h"
#include "search-index/request.h"

#define SEARCH_FORMAT_POSITIONS_MAX 10000 /* of one hit */
#define SEARCH_FORMAT_BYTES_MAX     ((size_t)32 << 20)

typedef struct search_formatter search_formatter;

/* Keeps all that it is given, which must outlive it. NULL: out of memory. */
search_formatter *search_formatter_new(const search_request *request, const search_schema *schema,
                                       search_token_source source, const search_match_term *terms,
                                       uint32_t term_count);
void search_formatter_free(search_formatter *formatter);

/* Writes the hit's members into the object that is open; others may be written beside them. False:
 * the document is no JSON object (CORE_ERROR_INTERNAL), or what it grew to passes
 * SEARCH_FORMAT_BYTES_MAX (CORE_ERROR_LIMIT). */
CORE_MUST_CHECK bool search_formatter_hit(search_formatter *formatter, core_slice document,
                                          core_json_writer *json, core_error *error);

#endif
