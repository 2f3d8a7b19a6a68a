/* POSTs deliveries to a URL of the developer's own, one after the other, signed as Walcast signs
 * them. Private to cli.
 *
 * The URL is the word of whoever runs the command, so it may lead anywhere, to this machine too. */
#ifndef WALCAST_CLI_FORWARD_H
#define WALCAST_CLI_FORWARD_H

#include "triggers/triggers.h"

typedef struct cli_forward cli_forward;

/* With a secret made for it. NULL with an error. */
CORE_MUST_CHECK cli_forward *cli_forward_new(const char *url, core_error *error);
void cli_forward_free(cli_forward *forward);
/* "whsec_…", for the receiver. */
const char *cli_forward_secret(const cli_forward *forward);

typedef struct {
    unsigned status; /* 0: no answer */
    int64_t took_ms;
    char reason[256]; /* of no answer */
} cli_forwarded;

/* Waits for the answer, or until it takes too long. */
void cli_forward_send(cli_forward *forward, const triggers_task *task, cli_forwarded *forwarded);

#endif
