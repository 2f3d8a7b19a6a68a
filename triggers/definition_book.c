/* See definition_book.h. */
#include "triggers/definition_book.h"

#include <stdlib.h>

void triggers_book_init(triggers_book *book, size_t max) {
    *book = (triggers_book){.max = max};
}

static void row_fini(triggers_book_row *row) {
    free(row->key);
    triggers_definition_release(row->definition);
}

void triggers_book_fini(triggers_book *book) {
    for (size_t i = 0; i < book->count; i++)
        row_fini(&book->rows[i]);
    free(book->rows);
    *book = (triggers_book){.count = 0};
}

/* Where the key is, or would be. */
static size_t place_of(const triggers_book *book, const char *key, bool *found) {
    size_t low = 0, high = book->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(book->rows[middle].key, key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void triggers_book_begin(triggers_book *book) {
    for (size_t i = 0; i < book->count; i++)
        book->rows[i].told = false;
}

void triggers_book_all(triggers_book *book) {
    size_t kept = 0;
    for (size_t i = 0; i < book->count; i++)
        if (book->rows[i].told)
            book->rows[kept++] = book->rows[i];
        else
            row_fini(&book->rows[i]);
    book->count = kept;
}

static bool row_insert(triggers_book *book, size_t place, const char *key) {
    if (book->count == book->max)
        return false;
    if (book->count == book->room) {
        size_t room = book->room > 0 ? book->room * 2 : 64;
        triggers_book_row *rows = realloc(book->rows, room * sizeof *rows);
        if (rows == NULL)
            return false;
        book->rows = rows;
        book->room = room;
    }
    char *copy = strdup(key);
    if (copy == NULL)
        return false;
    triggers_book_row *row = &book->rows[place];
    memmove(row + 1, row, (book->count++ - place) * sizeof *row);
    *row = (triggers_book_row){.key = copy};
    return true;
}

bool triggers_book_put(triggers_book *book, const char *key,
                       const triggers_definition *definition) {
    bool found;
    size_t place = place_of(book, key, &found);
    if (!found && !row_insert(book, place, key)) {
        triggers_definition_release(definition);
        return false;
    }
    triggers_definition_release(book->rows[place].definition);
    book->rows[place].definition = definition;
    book->rows[place].told = true;
    return true;
}

void triggers_book_remove(triggers_book *book, const char *key) {
    bool found;
    size_t place = place_of(book, key, &found);
    if (!found)
        return;
    row_fini(&book->rows[place]);
    memmove(&book->rows[place], &book->rows[place + 1],
            (--book->count - place) * sizeof book->rows[0]);
}

void triggers_book_note(triggers_book *book, uint64_t revision) {
    if (revision > book->revision)
        book->revision = revision;
}

const triggers_set *triggers_book_set(const triggers_book *book, uint64_t generation) {
    const triggers_definition **items = calloc(book->count + 1, sizeof *items);
    if (items == NULL)
        return NULL;
    for (size_t i = 0; i < book->count; i++)
        items[i] = book->rows[i].definition;
    const triggers_set *set = triggers_set_new(items, book->count, generation, book->revision);
    free(items);
    return set;
}
