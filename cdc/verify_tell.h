/* How a difference is told: its key and columns as JSON. Private to the comparison. */
#ifndef WALCAST_CDC_VERIFY_TELL_H
#define WALCAST_CDC_VERIFY_TELL_H

#include "cdc/verify_compare.h"

/* Hands it to the handler unless the limit of those told is reached; the report has counted it.
 * `row` and `entry`: both sides of DIFFERENT, else NULL. */
void cdc_verify_tell(const cdc_verify_compare *compare, cdc_difference_kind kind, core_slice text,
                     uint64_t rows, const cdc_verify_row *row, const cdc_verify_entry *entry);

#endif
