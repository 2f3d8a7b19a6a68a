/* See transaction_store.h. Happy path: a transaction is found by its xid (few are in progress, and
 * it is mostly the one found last), its log grows, and when all logs together pass the memory limit
 * the largest gives up its oldest chunks until an eighth of the limit is free. */
#include "cdc/transaction_store.h"

#include "cdc/transaction_log.h"

#include <stdlib.h>

enum {
    CHUNK_MIN_BYTES = 4096,
    CHUNK_MAX_BYTES = 1 << 20,
    CHUNK_SHARE = 16, /* a chunk is at most this part of the memory limit */
    FREE_SHARE = 8,   /* spilling frees at least this part */
    FIRST_CAPACITY = 16,
};

struct cdc_held_transaction {
    uint32_t xid;
    core_lsn prepare_lsn; /* 0: not prepared */
    cdc_transaction_log log;
    core_xid_set aborted;
    cdc_log_reader reader;
    uint32_t asked_subxid; /* the last that `aborted` was asked for, and its answer */
    bool asked_aborted;
    bool has_unattributed;
};

struct cdc_transaction_store {
    cdc_store_limits limits;
    cdc_log_room room;
    cdc_held_transaction **transactions;
    size_t length;
    size_t capacity;
    size_t found; /* index of the last one found */
    size_t aborted;
    size_t prepared;
};

/* ---- Life ---- */

cdc_transaction_store *cdc_transaction_store_new(const cdc_store_limits *limits,
                                                 core_error *error) {
    cdc_transaction_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the transaction store");
        return NULL;
    }
    size_t chunk = limits->memory_bytes / CHUNK_SHARE;
    chunk = chunk < CHUNK_MIN_BYTES ? CHUNK_MIN_BYTES : chunk;
    store->limits = *limits;
    store->room.chunk_max_bytes = chunk > CHUNK_MAX_BYTES ? CHUNK_MAX_BYTES : chunk;
    return store;
}

void cdc_transaction_store_clear(cdc_transaction_store *store) {
    while (store->length > 0)
        cdc_transaction_store_drop(store, store->transactions[store->length - 1]);
    assert(store->room.memory_bytes == 0 && store->aborted == 0);
}

void cdc_transaction_store_free(cdc_transaction_store *store) {
    if (store == NULL)
        return;
    cdc_transaction_store_clear(store);
    cdc_spill_file_free(store->room.spill);
    free(store->transactions);
    free(store);
}

/* ---- By xid ---- */

/* Where it is, or `length`. */
static size_t index_of(cdc_transaction_store *store, uint32_t xid) {
    if (store->found < store->length && store->transactions[store->found]->xid == xid)
        return store->found;
    size_t at = 0;
    while (at < store->length && store->transactions[at]->xid != xid)
        at++;
    if (at < store->length)
        store->found = at;
    return at;
}

cdc_held_transaction *cdc_transaction_store_find(cdc_transaction_store *store, uint32_t xid) {
    size_t at = index_of(store, xid);
    return at < store->length ? store->transactions[at] : NULL;
}

void cdc_transaction_store_drop(cdc_transaction_store *store, cdc_held_transaction *transaction) {
    size_t at = index_of(store, transaction->xid);
    assert(at < store->length && store->transactions[at] == transaction);
    store->transactions[at] = store->transactions[--store->length];
    store->aborted -= transaction->aborted.length;
    store->prepared -= transaction->prepare_lsn != 0;
    cdc_transaction_log_fini(&transaction->log, &store->room);
    cdc_log_reader_fini(&transaction->reader);
    core_xid_set_fini(&transaction->aborted);
    free(transaction);
}

static bool store_grow(cdc_transaction_store *store) {
    if (store->length < store->capacity)
        return true;
    size_t capacity = store->capacity > 0 ? store->capacity * 2 : FIRST_CAPACITY;
    cdc_held_transaction **grown =
        reallocarray(store->transactions, capacity, sizeof *store->transactions);
    if (grown == NULL)
        return false;
    store->transactions = grown;
    store->capacity = capacity;
    return true;
}

cdc_held_transaction *cdc_transaction_store_begin(cdc_transaction_store *store, uint32_t xid,
                                                  core_error *error) {
    cdc_held_transaction *abandoned = cdc_transaction_store_find(store, xid);
    if (abandoned != NULL)
        cdc_transaction_store_drop(store, abandoned);
    if (store->length == CDC_STORE_TRANSACTIONS_MAX) {
        (void)core_error_set(error, CORE_ERROR_TRANSIENT,
                             "more than %d transactions are in progress in parts",
                             CDC_STORE_TRANSACTIONS_MAX);
        return NULL;
    }
    cdc_held_transaction *transaction = store_grow(store) ? calloc(1, sizeof *transaction) : NULL;
    if (transaction == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL,
                             "out of memory for a transaction in progress");
        return NULL;
    }
    transaction->xid = xid;
    store->found = store->length;
    store->transactions[store->length++] = transaction;
    return transaction;
}

/* ---- Room ---- */

static bool spill_open(cdc_transaction_store *store, core_error *error) {
    if (store->room.spill == NULL)
        store->room.spill = cdc_spill_file_new(
            store->limits.spill_dir, store->limits.spill_max_bytes, store->limits.io, error);
    return store->room.spill != NULL;
}

static cdc_transaction_log *largest_of(const cdc_transaction_store *store) {
    cdc_transaction_log *largest = &store->transactions[0]->log;
    for (size_t i = 1; i < store->length; i++)
        if (store->transactions[i]->log.memory_bytes > largest->memory_bytes)
            largest = &store->transactions[i]->log;
    return largest;
}

/* Makes room in memory for `growth` more bytes. */
static bool room_make(cdc_transaction_store *store, size_t growth, core_error *error) {
    size_t limit = store->limits.memory_bytes;
    if (growth == 0 || store->room.memory_bytes + growth <= limit)
        return true;
    if (!spill_open(store, error))
        return false;
    while (store->room.memory_bytes > 0 &&
           store->room.memory_bytes + growth > limit - limit / FREE_SHARE) {
        cdc_transaction_log *log = largest_of(store);
        for (size_t before = log->memory_bytes; log->memory_bytes > before / 2;)
            if (!cdc_transaction_log_spill(log, &store->room, error))
                return false;
    }
    return true;
}

/* ---- Fill ---- */

bool cdc_transaction_store_append(cdc_transaction_store *store, cdc_held_transaction *transaction,
                                  uint32_t subxid, uint8_t letter, core_slice rest,
                                  core_error *error) {
    cdc_transaction_log *log = &transaction->log;
    cdc_log_record record = {.subxid = subxid, .letter = letter, .rest = rest};
    assert(!transaction->reader.started);
    if (cdc_transaction_log_is_large(&store->room, &record))
        return spill_open(store, error) &&
               cdc_transaction_log_append_spilled(log, &store->room, &record, error);
    transaction->has_unattributed = transaction->has_unattributed || subxid == 0;
    size_t growth = cdc_transaction_log_growth(log, &store->room, &record);
    return room_make(store, growth, error) &&
           cdc_transaction_log_append(log, &store->room, &record, error);
}

bool cdc_transaction_store_abort(cdc_transaction_store *store, cdc_held_transaction *transaction,
                                 uint32_t subxid, core_error *error) {
    if (transaction->has_unattributed)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "transaction %u rolled back a savepoint after it emitted a logical "
                              "message: which of both came first is only known of it whole",
                              transaction->xid);
    if (store->aborted == CDC_STORE_ABORTED_MAX)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "more than %d sub-transactions of transactions in progress were "
                              "rolled back",
                              CDC_STORE_ABORTED_MAX);
    if (!core_xid_set_add(&transaction->aborted, subxid))
        return core_error_set(error, CORE_ERROR_INTERNAL,
                              "out of memory for a transaction in progress");
    store->aborted++;
    return true;
}

void cdc_transaction_store_prepare(cdc_transaction_store *store, cdc_held_transaction *transaction,
                                   core_lsn prepare_lsn) {
    store->prepared += (prepare_lsn != 0) - (transaction->prepare_lsn != 0);
    transaction->prepare_lsn = prepare_lsn;
}

core_lsn cdc_transaction_store_prepared_lsn(const cdc_transaction_store *store) {
    core_lsn least = 0;
    for (size_t i = 0; store->prepared > 0 && i < store->length; i++) {
        core_lsn lsn = store->transactions[i]->prepare_lsn;
        if (lsn != 0 && (least == 0 || lsn < least))
            least = lsn;
    }
    return least;
}

/* ---- Read ---- */

static bool is_aborted(cdc_held_transaction *transaction, uint32_t subxid) {
    if (transaction->asked_subxid != subxid) {
        transaction->asked_aborted = core_xid_set_has(&transaction->aborted, subxid);
        transaction->asked_subxid = subxid;
    }
    return transaction->asked_aborted;
}

cdc_store_result cdc_transaction_store_next(cdc_transaction_store *store,
                                            cdc_held_transaction *transaction, bool keep,
                                            core_slice *message, core_error *error) {
    uint32_t subxid = 0;
    bool end = false;
    if (!cdc_transaction_log_next(&transaction->log, &store->room, &transaction->reader, keep,
                                  &subxid, message, &end, error))
        return CDC_STORE_BROKEN;
    if (end)
        return CDC_STORE_END;
    return is_aborted(transaction, subxid) ? CDC_STORE_SKIPPED : CDC_STORE_MESSAGE;
}

cdc_store_figures cdc_transaction_store_figures(const cdc_transaction_store *store) {
    return (cdc_store_figures){
        .transactions = store->length,
        .memory_bytes = store->room.memory_bytes,
        .spill_bytes = store->room.spill != NULL ? cdc_spill_file_bytes(store->room.spill) : 0,
    };
}
