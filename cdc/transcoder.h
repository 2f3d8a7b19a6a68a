/* Text of decoded messages from the database's own encoding into UTF-8.
 *
 * The server does this, but refuses as a whole what has no equivalent (byte 0x81 in WIN1252), and
 * the slot would stop for good at a byte that some client once stored. Then the stream is asked for
 * text as the database holds it, and it is converted here: what has no equivalent becomes U+FFFD.
 * The C library's tables differ from PostgreSQL's in a few characters (in EUC_JP the wave dash), so
 * this is not the usual way. Owned by one thread. */
#ifndef WALCAST_CDC_TRANSCODER_H
#define WALCAST_CDC_TRANSCODER_H

#include "cdc/pgoutput.h"

typedef struct cdc_transcoder cdc_transcoder;

/* `encoding`: PostgreSQL's name. Of one that the C library does not know only ASCII is kept. NULL
 * when memory is out. */
CORE_MUST_CHECK cdc_transcoder *cdc_transcoder_new(const char *encoding);
void cdc_transcoder_free(cdc_transcoder *transcoder);
/* Whether it is more than ASCII that is kept. */
bool cdc_transcoder_is_able(const cdc_transcoder *transcoder);

/* Names and text values, in place; they live until the next call. Values in binary form and the
 * content of logical messages are bytes and stay. LIMIT when a row is too large. */
CORE_MUST_CHECK bool cdc_transcoder_message(cdc_transcoder *transcoder, cdc_message *message,
                                            core_error *error);

#endif
