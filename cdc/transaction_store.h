/* Transactions whose end is not known yet: what PostgreSQL streamed of them, or sent at PREPARE.
 *
 * Memory is bounded: past `memory_bytes` in all, the transaction with the most in memory moves its
 * oldest part to the spill file. The file is bounded by `spill_max_bytes` or its disk. When neither
 * has room, or the disk fails, the store says so (TRANSIENT) and holds on to nothing: everything in
 * it will be sent again, so the caller starts over, with a server that keeps transactions itself.
 * A transaction is read in order, without what its aborted sub-transactions wrote. Owned by one
 * thread. */
#ifndef WALCAST_CDC_TRANSACTION_STORE_H
#define WALCAST_CDC_TRANSACTION_STORE_H

#include "cdc/spill_file.h"

#define CDC_STORE_TRANSACTIONS_MAX 16384
#define CDC_STORE_ABORTED_MAX      4194304 /* sub-transactions in all; 4 bytes each */

typedef struct {
    size_t memory_bytes;
    const char *spill_dir;    /* must outlive the store */
    uint64_t spill_max_bytes; /* 0: what the disk holds */
    const cdc_spill_io *io;   /* NULL: the system's */
} cdc_store_limits;

typedef struct {
    size_t transactions;
    size_t memory_bytes;
    uint64_t spill_bytes;
} cdc_store_figures;

typedef struct cdc_transaction_store cdc_transaction_store;
typedef struct cdc_held_transaction cdc_held_transaction;

CORE_MUST_CHECK cdc_transaction_store *cdc_transaction_store_new(const cdc_store_limits *limits,
                                                                 core_error *error);
void cdc_transaction_store_free(cdc_transaction_store *store);
/* Drops all. */
void cdc_transaction_store_clear(cdc_transaction_store *store);

/* A new transaction; one of the same xid that never ended (its server crashed) is dropped. */
CORE_MUST_CHECK cdc_held_transaction *cdc_transaction_store_begin(cdc_transaction_store *store,
                                                                  uint32_t xid, core_error *error);
/* NULL when it is not held. Valid until it is dropped. */
cdc_held_transaction *cdc_transaction_store_find(cdc_transaction_store *store, uint32_t xid);
void cdc_transaction_store_drop(cdc_transaction_store *store, cdc_held_transaction *transaction);

/* Adds a message of protocol 1, given as its letter and the rest. `subxid` 0: it is not known which
 * of the sub-transactions wrote it. */
CORE_MUST_CHECK bool cdc_transaction_store_append(cdc_transaction_store *store,
                                                  cdc_held_transaction *transaction,
                                                  uint32_t subxid, uint8_t letter, core_slice rest,
                                                  core_error *error);
/* What `subxid` wrote will not be read. TRANSIENT also when it may have written what is not known
 * whose it is. */
CORE_MUST_CHECK bool cdc_transaction_store_abort(cdc_transaction_store *store,
                                                 cdc_held_transaction *transaction, uint32_t subxid,
                                                 core_error *error);
/* It is prepared; PostgreSQL sends it again only to who has not confirmed `prepare_lsn`. */
void cdc_transaction_store_prepare(cdc_transaction_store *store, cdc_held_transaction *transaction,
                                   core_lsn prepare_lsn);
/* The least `prepare_lsn` of those held; 0: none is prepared. */
core_lsn cdc_transaction_store_prepared_lsn(const cdc_transaction_store *store);

typedef enum {
    CDC_STORE_MESSAGE, /* `message`, valid until the next call */
    CDC_STORE_SKIPPED, /* one that was aborted */
    CDC_STORE_END,
    CDC_STORE_BROKEN,
} cdc_store_result;

/* The transaction's next message; it takes no more messages from the first call on. `keep`: read
 * to its end like this, it can be read again; otherwise reading consumes it. */
cdc_store_result cdc_transaction_store_next(cdc_transaction_store *store,
                                            cdc_held_transaction *transaction, bool keep,
                                            core_slice *message, core_error *error);

cdc_store_figures cdc_transaction_store_figures(const cdc_transaction_store *store);

#endif
