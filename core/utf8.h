/* Steps over UTF-8 text one sequence at a time; the JSON writer's and reader's private helper.
 *
 * Follows the table of well-formed byte sequences in the Unicode standard (chapter 3, table 3-7):
 * no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef WALCAST_CORE_UTF8_H
#define WALCAST_CORE_UTF8_H

#include "core/slice.h"

/* Bytes of the well-formed sequence at `at`, 1 to 4; 0 when there is none. `left` is at least 1. */
size_t core_utf8_sequence(const uint8_t *at, size_t left);

/* Bytes from `at`, at most `left`, that are plain ASCII. */
size_t core_utf8_ascii_run(const uint8_t *at, size_t left);

/* Writes a code point (not a surrogate, at most U+10FFFF) into `bytes`; returns how many. */
size_t core_utf8_encode(uint32_t code_point, uint8_t bytes[4]);

#endif
