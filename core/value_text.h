/* PostgreSQL's text back from the JSON that core_column_value_json made of it.
 *
 * The JSON does not tell everything: an array's bounds, a line end between the tokens of a json
 * document, bytes that are not UTF-8, SQL's null from the document `null`. So this is only a
 * proposal, which a writer that promises the very text holds against what it wrote (event_json.h
 * carries what differs). Nothing is kept; safe from every thread. */
#ifndef WALCAST_CORE_VALUE_TEXT_H
#define WALCAST_CORE_VALUE_TEXT_H

#include "core/value.h"

#define CORE_COLUMN_TEXT_FACTOR 3 /* how much longer than its JSON a text is at the most */

/* Bytes of `out` that core_column_text takes for this JSON value at the most. */
size_t core_column_text_room(core_slice json);
/* `json` is one JSON value; `value` becomes its text (or NULL), in `json` itself or appended to
 * `out`, whose growth would move it. False when it cannot be one of the column's type, is
 * malformed, or `out` is full. */
CORE_MUST_CHECK bool core_column_text(const core_column *column, core_slice json, core_buffer *out,
                                      core_value *value);

#endif
