/* Keys and tokens that end while channels are open, by revocation or, an API key, by its time; see
 * session.h. What they opened is closed with a word why; a connection whose own credential ended
 * goes as a whole, since no join on it can be let in any more. A token's own exp is not looked at
 * here. */
#include "ws/session_private.h"

#include "ws/recheck.h"

#include <stdio.h>

#define RECHECK_TEXT_MAX 256

void session_end_channel(ws_channel *channel, const char *why) {
    ws_session *session = channel->session;
    char text[RECHECK_TEXT_MAX];
    (void)snprintf(text, sizeof text, "Unauthorized: %s", why);
    session_system(session, channel, "system", false, text);
    if (session_open(session))
        session_close_channel(channel, "phx_close");
}

size_t session_recheck(ws_session *session) {
    size_t looked = 0;
    const ws_service *service = session_service(session);
    const char *all = ws_recheck_why(service, session->identity);
    ws_channel *channel = session->channels;
    while (channel != NULL) {
        ws_channel *next = channel->next;
        looked++;
        const char *why = all != NULL || channel->identity == session->identity
                              ? all
                              : ws_recheck_why(service, channel->identity);
        if (why != NULL) {
            core_metrics_add(service->metrics, CORE_METRIC_WS_CREDENTIALS_ENDED, 1);
            session_end_channel(channel, why);
        }
        if (!session_open(session))
            return looked; /* all its channels have gone */
        channel = next;
    }
    if (all != NULL)
        ws_socket_close(session->socket, WS_CLOSE_POLICY, all);
    return looked;
}
