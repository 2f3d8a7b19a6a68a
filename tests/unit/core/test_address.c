/* Addresses and networks: texts both ways, one address for one peer, prefixes at every edge. */
#include "core/core.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

static core_address address_of(const char *text) {
    core_address address;
    if (!core_address_parse(core_slice_text(text), &address))
        fail_msg("refused: %s", text);
    return address;
}

static void assert_shown(const core_address *address, const char *expected) {
    char text[CORE_ADDRESS_TEXT_SIZE];
    core_address_text(address, text);
    assert_string_equal(text, expected);
}

static void texts(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"192.0.2.1", "192.0.2.1"},        {"0.0.0.0", "0.0.0.0"},
        {"2001:DB8::1", "2001:db8::1"},    {"::", "::"},
        {"::ffff:192.0.2.1", "192.0.2.1"}, {"::FFFF:c000:201", "192.0.2.1"},
        {"::192.0.2.1", "::192.0.2.1"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_address address = address_of(rows[i][0]);
        assert_shown(&address, rows[i][1]);
    }
    static const char *const refused[] = {
        "",           "192.0.2",    "192.0.2.256", "192.0.2.1.", " 192.0.2.1",
        "192.0.2.1 ", "host",       "[::1]",       "::1%lo",     "192.0.2.1:80",
        "1::2::3",    "0x7f.0.0.1", "::g",         "127.00.0.1", "2001:db8:0:0:0:0:0:0:1",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        core_address address;
        if (core_address_parse(core_slice_text(refused[i]), &address))
            fail_msg("let through: %s", refused[i]);
        assert_shown(&address, "-");
    }
    core_address address;
    assert_false(core_address_parse(core_slice_make("1.2.3.4\0", 8), &address));
}

static void sockets(void **state) {
    (void)state;
    struct sockaddr_storage socket = {.ss_family = AF_UNIX};
    core_address address = core_address_of(&socket);
    assert_shown(&address, "-");
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr), 1);
    memcpy(&socket, &v4, sizeof v4);
    address = core_address_of(&socket);
    assert_shown(&address, "192.0.2.7");
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6.sin6_addr), 1);
    memcpy(&socket, &v6, sizeof v6);
    core_address mapped = core_address_of(&socket);
    assert_true(core_address_equal(&address, &mapped));
}

static void holds(void **state) {
    (void)state;
    static const struct {
        const char *network, *address;
        bool holds;
    } rows[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"10.128.0.0/9", "10.127.255.255", false},
        {"10.128.0.0/9", "10.128.0.0", true},
        {"192.0.2.4/31", "192.0.2.5", true},
        {"192.0.2.4/31", "192.0.2.6", false},
        {"192.0.2.4", "192.0.2.4", true},
        {"192.0.2.4/32", "192.0.2.5", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "::1", true},
        {"::/0", "10.0.0.1", false},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::1", "::1", true},
        {"::ffff:10.0.0.0/104", "10.2.3.4", true},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_network network;
        core_address address = address_of(rows[i].address);
        assert_true(core_network_parse(core_slice_text(rows[i].network), &network));
        if (core_network_holds(&network, &address) != rows[i].holds)
            fail_msg("%s %s", rows[i].network, rows[i].address);
    }
    core_network all;
    core_address none = {.family = CORE_ADDRESS_NONE};
    assert_true(core_network_parse(core_slice_text("::/0"), &all));
    assert_false(core_network_holds(&all, &none));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(sockets),
        cmocka_unit_test(holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
