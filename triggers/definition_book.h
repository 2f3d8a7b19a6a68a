/* The definitions by their keys, while they are being told by a watch. One thread writes; private
 * to definitions.c. */
#ifndef WALCAST_TRIGGERS_DEFINITION_BOOK_H
#define WALCAST_TRIGGERS_DEFINITION_BOOK_H

#include "triggers/set.h"

typedef struct {
    char *key;
    const triggers_definition *definition;
    bool told; /* since the last begin */
} triggers_book_row;

typedef struct {
    triggers_book_row *rows; /* by key, in order */
    size_t count, room, max;
    uint64_t revision; /* the highest that was told, of whatever */
} triggers_book;

void triggers_book_init(triggers_book *book, size_t max);
void triggers_book_fini(triggers_book *book);
/* From here what is not put again by `all` is gone. */
void triggers_book_begin(triggers_book *book);
void triggers_book_all(triggers_book *book);
/* Takes over the caller's reference; false: no room, or no memory. */
CORE_MUST_CHECK bool triggers_book_put(triggers_book *book, const char *key,
                                       const triggers_definition *definition);
void triggers_book_remove(triggers_book *book, const char *key);
/* Something was told that has this revision of the bucket: also a removal, and what was left out.
 */
void triggers_book_note(triggers_book *book, uint64_t revision);
CORE_MUST_CHECK const triggers_set *triggers_book_set(const triggers_book *book,
                                                      uint64_t generation);

#endif
