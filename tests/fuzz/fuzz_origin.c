/* Any bytes as an Origin header: only what ends as an entry demands, behind its scheme, is let in.
 */
#include "ws/origin.h"

#include <stdlib.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

static bool starts(core_slice text, const char *start) {
    return text.length >= strlen(start) &&
           strncasecmp((const char *)text.data, start, strlen(start)) == 0;
}

static bool ends(core_slice text, const char *end) {
    size_t length = strlen(end);
    return text.length >= length &&
           strncasecmp((const char *)text.data + text.length - length, end, length) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_slice origin = core_slice_make(data, size);
    if (ws_origin_fits(origin, "https://*.example.com")) {
        check(starts(origin, "https://") && ends(origin, ".example.com"));
        check(memchr(data + 8, '/', size - 8) == NULL);
    }
    if (ws_origin_fits(origin, "http://localhost:*"))
        check(starts(origin, "http://localhost") &&
              (size == 16 || (data[16] == ':' && size > 17 && data[17] >= '0' && data[17] <= '9')));
    check(ws_origin_fits(origin, "null") == (size == 4 && starts(origin, "null")));
    check(ws_origin_fits(origin, "http://[::1]:80") ==
          (size == 15 && starts(origin, "http://[::1]:80")));
    return 0;
}
