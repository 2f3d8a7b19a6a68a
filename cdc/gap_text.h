/* A gap's text for people: what happened, to which slot, stream and server, and what was expected.
 * docs/OPERATIONS.md, Gaps, takes up each. */
#ifndef WALCAST_CDC_GAP_TEXT_H
#define WALCAST_CDC_GAP_TEXT_H

#include "cdc/start.h"

/* Fills start->gap.text from its other members and the facts. */
void cdc_gap_describe(const cdc_start_facts *facts, cdc_start *start);
/* What a person can do about it besides accepting it; "" when nothing. Static. */
const char *cdc_gap_remedy(cdc_gap_reason reason);

#endif
