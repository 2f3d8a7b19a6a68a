/* See queue_rows.h. Slots of one hash are chained; a TRUNCATE, which concerns every row, walks all
 * slots. */
#include "ws/queue_rows.h"

#include <stdlib.h>

typedef struct {
    ws_row *row; /* NULL: none */
    uint64_t tag;
    uint32_t next, previous; /* of its hash */
} rows_slot;

struct ws_queue_rows {
    uint32_t capacity;
    uint32_t *firsts; /* by hash: the slots they begin with; as many as slots */
    rows_slot slots[];
};

ws_queue_rows *ws_queue_rows_new(uint32_t capacity) {
    ws_queue_rows *rows = calloc(1, sizeof *rows + capacity * sizeof rows->slots[0]);
    uint32_t *firsts = malloc(capacity * sizeof *firsts);
    if (rows == NULL || firsts == NULL) {
        free(rows);
        free(firsts);
        return NULL;
    }
    for (uint32_t i = 0; i < capacity; i++)
        firsts[i] = WS_QUEUE_ROWS_END;
    rows->capacity = capacity;
    rows->firsts = firsts;
    return rows;
}

void ws_queue_rows_free(ws_queue_rows *rows) {
    if (rows == NULL)
        return;
    for (uint32_t i = 0; i < rows->capacity; i++)
        ws_row_release(rows->slots[i].row);
    free(rows->firsts);
    free(rows);
}

static uint32_t *rows_first(const ws_queue_rows *rows, uint64_t hash, uint64_t tag) {
    uint64_t mixed = (hash ^ tag) * UINT64_C(0x9E3779B97F4A7C15);
    return &rows->firsts[(mixed >> 32) & (rows->capacity - 1)];
}

void ws_queue_rows_put(ws_queue_rows *rows, uint32_t slot, ws_row *row, uint64_t tag) {
    assert(rows->slots[slot].row == NULL);
    uint32_t *first = rows_first(rows, ws_row_hash(row), tag);
    rows->slots[slot] = (rows_slot){
        .row = ws_row_retain(row), .tag = tag, .next = *first, .previous = WS_QUEUE_ROWS_END};
    if (*first != WS_QUEUE_ROWS_END)
        rows->slots[*first].previous = slot;
    *first = slot;
}

void ws_queue_rows_drop(ws_queue_rows *rows, uint32_t slot) {
    rows_slot *at = &rows->slots[slot];
    if (at->row == NULL)
        return;
    if (at->previous != WS_QUEUE_ROWS_END)
        rows->slots[at->previous].next = at->next;
    else
        *rows_first(rows, ws_row_hash(at->row), at->tag) = at->next;
    if (at->next != WS_QUEUE_ROWS_END)
        rows->slots[at->next].previous = at->previous;
    ws_row_release(at->row);
    at->row = NULL;
}

void ws_queue_rows_move(const ws_queue_rows *rows, uint32_t slot, ws_queue_rows *to,
                        uint32_t to_slot) {
    if (rows->slots[slot].row != NULL)
        ws_queue_rows_put(to, to_slot, rows->slots[slot].row, rows->slots[slot].tag);
}

/* ---- Searching ---- */

static bool search_all(const ws_queue_rows_search *search) {
    return ws_row_kind_of(search->newer) == WS_ROW_ALL;
}

ws_queue_rows_search ws_queue_rows_begin(const ws_queue_rows *rows, const ws_row *newer,
                                         uint64_t tag) {
    ws_queue_rows_search search = {.rows = rows, .newer = newer, .tag = tag};
    if (search_all(&search))
        return search; /* from slot 0 */
    search.next = *rows_first(rows, ws_row_hash(newer), tag);
    search.former = ws_row_kind_of(newer) == WS_ROW_MOVED;
    return search;
}

/* The slot to look at now; the next one is found before it may be dropped. */
static uint32_t search_step(ws_queue_rows_search *search) {
    const ws_queue_rows *rows = search->rows;
    if (search_all(search))
        return search->next < rows->capacity ? search->next++ : WS_QUEUE_ROWS_END;
    if (search->next == WS_QUEUE_ROWS_END && search->former) {
        search->former = false;
        search->next = *rows_first(rows, ws_row_former_hash(search->newer), search->tag);
    }
    uint32_t slot = search->next;
    if (slot != WS_QUEUE_ROWS_END)
        search->next = rows->slots[slot].next;
    return slot;
}

uint32_t ws_queue_rows_next(ws_queue_rows_search *search) {
    for (;;) {
        uint32_t slot = search_step(search);
        if (slot == WS_QUEUE_ROWS_END)
            return slot;
        const rows_slot *at = &search->rows->slots[slot];
        if (at->row != NULL && at->tag == search->tag && ws_row_replaces(search->newer, at->row))
            return slot;
    }
}
