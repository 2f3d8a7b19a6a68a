/* Signs what signature.test.mjs asks for: each line of standard input is an id, a timestamp, the
 * body in hexadecimal ("-": empty) and secrets, with blanks between; each line of standard output
 * the webhook-signature header's value, or "refused: " and why. */
#include "auth/auth.h"
#include "net/net.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES (4 << 20)

static core_slice word(char **rest) {
    char *text = strsep(rest, " \n");
    return core_slice_text(text != NULL ? text : "");
}

static void unhex(core_slice text, core_buffer *out) {
    for (size_t i = 0; i + 1 < text.length; i += 2)
        core_buffer_u8(
            out, (uint8_t)(core_hex_digit(text.data[i]) * 16 + core_hex_digit(text.data[i + 1])));
}

static bool sign(char *line, core_buffer *out, core_error *error) {
    net_signing_key keys[NET_SIGNING_KEYS_MAX];
    core_buffer body, work;
    uint64_t timestamp_s = 0;
    size_t count = 0;
    core_buffer_init(&body, LINE_MAX_BYTES);
    core_buffer_init(&work, LINE_MAX_BYTES);
    core_slice id = word(&line);
    bool good = core_slice_to_u64(word(&line), &timestamp_s);
    unhex(word(&line), &body);
    for (core_slice secret = word(&line); good && secret.length > 0; secret = word(&line))
        good = count < CORE_COUNT_OF(keys) && net_signing_key_read(secret, &keys[count++], error);
    good = good && net_signature_write(auth_mac, keys, count, id, (int64_t)timestamp_s,
                                       core_buffer_slice(&body), &work, out, error);
    core_buffer_fini(&body);
    core_buffer_fini(&work);
    return good;
}

int main(void) {
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        core_buffer out;
        core_error error = {.code = CORE_ERROR_INPUT};
        core_buffer_init(&out, 4096);
        if (sign(line, &out, &error))
            printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(&out)));
        else
            printf("refused: %s\n", error.text);
        (void)fflush(stdout);
        core_buffer_fini(&out);
    }
    free(line);
    return 0;
}
