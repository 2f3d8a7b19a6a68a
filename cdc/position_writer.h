/* Stores position records on a thread of its own: the broker's answer takes as long as it takes,
 * and the streaming thread must go on answering PostgreSQL meanwhile.
 *
 * One record at a time: post, look for the result with take (the wake descriptor tells when), post
 * the next. All functions are for the one owning thread. */
#ifndef WALCAST_CDC_POSITION_WRITER_H
#define WALCAST_CDC_POSITION_WRITER_H

#include "cdc/position.h"
#include "fanout/fanout.h"

typedef struct cdc_position_writer cdc_position_writer;

CORE_MUST_CHECK cdc_position_writer *cdc_position_writer_new(core_error *error);
/* Waits for a write under way. */
void cdc_position_writer_free(cdc_position_writer *writer);

/* From here records go to `bucket`, whose key has `revision`. The bucket must outlive detach. */
void cdc_position_writer_attach(cdc_position_writer *writer, fanout_bucket *bucket,
                                uint64_t revision);
/* Waits for a write under way and forgets its result. */
void cdc_position_writer_detach(cdc_position_writer *writer);

/* Neither a write under way nor a result to take. */
bool cdc_position_writer_idle(cdc_position_writer *writer);
/* Must be idle. */
void cdc_position_writer_post(cdc_position_writer *writer, const cdc_position *position);

typedef enum { CDC_WRITE_NONE, CDC_WRITE_STORED, CDC_WRITE_FAILED } cdc_write_result;
/* STORED: `position` is the record that is stored now. FAILED: CONFLICT when another process wrote
 * it; TRANSIENT when nobody knows. */
CORE_MUST_CHECK cdc_write_result cdc_position_writer_take(cdc_position_writer *writer,
                                                          cdc_position *position,
                                                          core_error *error);
/* Readable when there is a result to take. */
int cdc_position_writer_wake_fd(const cdc_position_writer *writer);

/* Posts, waits and takes: where blocking is right (start and end). */
CORE_MUST_CHECK bool cdc_position_writer_write(cdc_position_writer *writer,
                                               const cdc_position *position, core_error *error);

/* The record's key. */
extern const char cdc_position_key[];

#endif
