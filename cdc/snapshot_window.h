/* The keys that the live stream changed while a piece of a table was read: rows of these keys must
 * not follow into the stream, since they may be older than what it already holds.
 *
 * Opened before the piece's database snapshot is taken, closed when its last row is in the stream.
 * A change that cannot be matched (a key that is not known, another shape, too many) spoils the
 * window: then the piece is read again. Owned by the source's thread. */
#ifndef WALCAST_CDC_SNAPSHOT_WINDOW_H
#define WALCAST_CDC_SNAPSHOT_WINDOW_H

#include "core/core.h"

#define CDC_SNAPSHOT_WINDOW_BYTES ((size_t)8 << 20)

typedef struct {
    uint32_t key_at; /* in `keys` */
    uint32_t key_length;
    uint32_t xid;
    bool read_again; /* the change's own image is not whole: what it left unchanged is missing */
    bool moved;      /* such a row's new key; the entry before is its old one */
} cdc_snapshot_changed;

typedef struct {
    uint32_t oid;
    bool whole_rows; /* matched by all columns; only old images count */
    core_slice *key; /* names of the key's columns, in the key's order; with their bytes */
    size_t key_count;
    core_buffer keys;
    cdc_snapshot_changed *changed;
    size_t count;
    size_t capacity;
    bool truncated; /* all rows that were read are gone */
    bool spoilt;
    /* Where the key's columns stand in the relation of this version. */
    uint32_t version;
    bool has_places;
    uint16_t places[CORE_COLUMNS_MAX];
    size_t place_count;
} cdc_snapshot_window;

/* `key` is copied, since its owner may describe the table anew while the window is open. Without
 * memory for that the window is spoilt. */
void cdc_snapshot_window_init(cdc_snapshot_window *window, uint32_t oid, bool whole_rows,
                              const core_slice *key, size_t key_count);
void cdc_snapshot_window_fini(cdc_snapshot_window *window);
/* A change of any table that goes into the stream. */
void cdc_snapshot_window_note(cdc_snapshot_window *window, const core_change *change);

/* Appends the key's form that both sides compare: each value with its length. False when a value is
 * not known (unchanged). */
CORE_MUST_CHECK bool cdc_snapshot_key_append(core_buffer *out, const core_value *values,
                                             const uint16_t *places, size_t place_count);

#endif
