/* Scripts of decoded messages for the run builder's tests: transactions at every 100th LSN. */
#ifndef WALCAST_TESTS_UNIT_CDC_RUN_SCRIPT_H
#define WALCAST_TESTS_UNIT_CDC_RUN_SCRIPT_H

#include "cdc/pgoutput.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { SCRIPT_MAX = 4096 };

typedef struct {
    cdc_message messages[SCRIPT_MAX];
    size_t count;
    core_lsn lsn;
} script;

static core_value script_values[SCRIPT_MAX];
static char script_texts[SCRIPT_MAX][16];
static const core_column one_column[] = {
    {.name = {(const uint8_t *)"v", 1}, .type_oid = 25, .typmod = -1, .key = true}};
static const core_column two_columns[] = {
    {.name = {(const uint8_t *)"v", 1}, .type_oid = 25, .typmod = -1, .key = true},
    {.name = {(const uint8_t *)"w", 1}, .type_oid = 25, .typmod = -1}};
static const uint32_t truncated[] = {1, 2, 3};

static inline void script_add(script *it, cdc_message message) {
    assert_true(it->count < SCRIPT_MAX);
    it->messages[it->count++] = message;
}

static inline void script_begin(script *it, uint32_t xid) {
    it->lsn += 100;
    script_add(it,
               (cdc_message){.kind = CDC_BEGIN,
                             .begin = {.commit_lsn = it->lsn, .commit_time_us = 7, .xid = xid}});
}

static inline void script_commit(script *it) {
    script_add(it, (cdc_message){.kind = CDC_COMMIT,
                                 .commit = {.commit_lsn = it->lsn, .end_lsn = it->lsn + 50}});
}

static inline void script_relation(script *it, uint32_t oid, const core_column *columns,
                                   uint16_t count) {
    static const char *const names[] = {"", "a", "b", "c"};
    script_add(it, (cdc_message){.kind = CDC_RELATION,
                                 .relation = {.oid = oid,
                                              .schema = core_slice_text("public"),
                                              .table = core_slice_text(names[oid]),
                                              .replica_identity = 'd',
                                              .column_count = count,
                                              .columns = columns}});
}

static inline void script_relations(script *it) {
    for (uint32_t oid = 1; oid <= 3; oid++)
        script_relation(it, oid, one_column, 1);
}

static inline void script_row(script *it, cdc_message_kind kind, uint32_t oid) {
    size_t at = it->count;
    (void)snprintf(script_texts[at], sizeof script_texts[at], "v%zu", at);
    script_values[at] =
        (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(script_texts[at])};
    core_tuple tuple = {.count = 1, .values = &script_values[at]};
    cdc_row row = {.relation_oid = oid};
    if (kind == CDC_DELETE) {
        row.old_kind = CORE_OLD_KEY;
        row.old_tuple = tuple;
    } else
        row.new_tuple = tuple;
    script_add(it, (cdc_message){.kind = kind, .row = row});
}

/* An insert of two_columns. */
static inline void script_row_wide(script *it, uint32_t oid) {
    static core_value values[] = {{.kind = CORE_VALUE_TEXT}, {.kind = CORE_VALUE_NULL}};
    script_add(it, (cdc_message){
                       .kind = CDC_INSERT,
                       .row = {.relation_oid = oid, .new_tuple = {.count = 2, .values = values}}});
}

static inline void script_truncate(script *it) {
    script_add(it, (cdc_message){.kind = CDC_TRUNCATE,
                                 .truncate = {.count = 3, .relation_oids = truncated, .flags = 1}});
}

static inline void script_message(script *it, bool transactional, core_lsn lsn) {
    script_add(it, (cdc_message){.kind = CDC_MESSAGE,
                                 .message = {.prefix = core_slice_text("p"),
                                             .content = core_slice_text("content"),
                                             .lsn = lsn,
                                             .transactional = transactional}});
}

#endif
