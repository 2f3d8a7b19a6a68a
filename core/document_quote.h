/* What a document's reader tries where YAML finds no sense; private to document.c. */
#ifndef WALCAST_CORE_DOCUMENT_QUOTE_H
#define WALCAST_CORE_DOCUMENT_QUOTE_H

#include "core/buffer.h"

/* Appends the text with each `${NAME}` that is a value by itself of a flow map or list in double
 * quotes. False: there is none, or `out` is full. */
CORE_MUST_CHECK bool core_document_quote(core_slice text, core_buffer *out);

/* The same of JSON, whose characters beyond U+FFFF may be pairs of escapes, which YAML does not
 * know: each pair becomes one escape of YAML's. False also of what is no JSON. */
CORE_MUST_CHECK bool core_document_join(core_slice text, core_buffer *out);

#endif
