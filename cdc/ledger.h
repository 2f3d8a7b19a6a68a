/* The ack ledger: which WAL position may be confirmed to PostgreSQL, given what was published and
 * what the broker has acknowledged. Pure logic; promise 1 hangs on it.
 *
 * Two positions come with each publish. `safe` is the end of the last transaction that is wholly in
 * the messages up to this one (empty transactions included). `shown` is what a reader of the
 * stream's tail alone could tell to be stored. Once a publish and all before it are acked, both
 * hold. Progress without rows (keepalives, empty transactions) raises `safe` only, so whoever
 * confirms beyond `shown` must have stored a position record first (position.h). Positions never go
 * back. Owned by one thread. */
#ifndef WALCAST_CDC_LEDGER_H
#define WALCAST_CDC_LEDGER_H

#include "core/core.h"

#define CDC_LEDGER_ENTRIES 8192 /* when full, the newest two are merged: later, never wrong */

typedef struct {
    uint64_t sequence;
    core_lsn shown_lsn;
    core_lsn safe_lsn;
    /* The message's last row. */
    core_lsn commit_lsn;
    uint64_t index;
    bool complete;
    int64_t commit_time_us;
} cdc_ledger_entry;

typedef struct {
    cdc_ledger_entry entries[CDC_LEDGER_ENTRIES]; /* a ring: published, not acked, oldest first */
    size_t first;
    size_t count;
    cdc_ledger_entry acked; /* the prefix's last, with the greatest positions so far */
} cdc_ledger;

/* Starts where the stream stands: its last message and the positions known to be stored. */
void cdc_ledger_init(cdc_ledger *ledger, const cdc_ledger_entry *stored);
/* A message was handed to the broker; sequences grow. */
void cdc_ledger_publish(cdc_ledger *ledger, const cdc_ledger_entry *entry);
/* All before `lsn` is in messages published so far, or has no rows. */
void cdc_ledger_progress(cdc_ledger *ledger, core_lsn lsn);
/* Everything up to `sequence` is durably stored. */
void cdc_ledger_ack(cdc_ledger *ledger, uint64_t sequence);
/* Nothing is published and not yet acked. */
bool cdc_ledger_settled(const cdc_ledger *ledger);

#endif
