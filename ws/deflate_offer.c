/* Which offers of permessage-deflate are taken; see deflate.h.
 *
 * An offer with a parameter that is not known, comes twice or has a wrong value is declined, as RFC
 * 7692 7.1 wants it, and the next one looked at. So is one that asks for a window of our messages
 * (server_max_window_bits): one compressed frame serves every client. */
#include "ws/deflate.h"
#include "ws/http_head.h"

/* The part before the next `separator`, trimmed; the separator is taken too. No value that we know
 * has either in quotes. */
static core_slice offer_cut(core_slice *rest, uint8_t separator) {
    const uint8_t *at = rest->length ? memchr(rest->data, separator, rest->length) : NULL;
    size_t length = at ? (size_t)(at - rest->data) : rest->length;
    size_t used = length + (at ? 1 : 0);
    core_slice part = core_slice_make(rest->data, length);
    *rest = core_slice_make(rest->data + used, rest->length - used);
    return ws_http_trim(part);
}

/* 8 to 15, perhaps in quotes, without leading zeros; 0 when it is none. */
static unsigned offer_bits(core_slice value) {
    uint64_t bits = 0;
    if (value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"')
        value = core_slice_make(value.data + 1, value.length - 2);
    bool number = value.length > 0 && value.data[0] != '0' && core_slice_to_u64(value, &bits);
    return number && bits >= 8 && bits <= 15 ? (unsigned)bits : 0;
}

typedef enum {
    OFFER_SERVER_NO_CONTEXT = 1 << 0,
    OFFER_CLIENT_NO_CONTEXT = 1 << 1,
    OFFER_CLIENT_BITS = 1 << 2,
} offer_parameter;

/* Which one it is; 0 when it is not taken. */
static unsigned offer_parameter_of(core_slice text) {
    core_slice rest = text;
    core_slice name = offer_cut(&rest, '=');
    core_slice value = ws_http_trim(rest);
    bool has_value = memchr(text.data, '=', text.length) != NULL;
    if (ws_http_name_is(name, "server_no_context_takeover"))
        return has_value ? 0 : OFFER_SERVER_NO_CONTEXT;
    if (ws_http_name_is(name, "client_no_context_takeover"))
        return has_value ? 0 : OFFER_CLIENT_NO_CONTEXT;
    if (ws_http_name_is(name, "client_max_window_bits"))
        return !has_value || offer_bits(value) != 0 ? OFFER_CLIENT_BITS : 0;
    return 0;
}

bool ws_deflate_offer_fits(core_slice offer) {
    core_slice rest = offer;
    if (!ws_http_name_is(offer_cut(&rest, ';'), "permessage-deflate"))
        return false;
    unsigned seen = 0;
    while (rest.length > 0) {
        core_slice text = offer_cut(&rest, ';');
        unsigned parameter = text.length > 0 ? offer_parameter_of(text) : 0;
        if (parameter == 0 || (seen & parameter) != 0)
            return false;
        seen |= parameter;
    }
    return true;
}

bool ws_deflate_offers_fit(core_slice value) {
    core_slice rest = value;
    while (rest.length > 0)
        if (ws_deflate_offer_fits(offer_cut(&rest, ',')))
            return true;
    return false;
}
