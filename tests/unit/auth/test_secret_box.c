/* Secrets as they are stored: which keys there are, what opens, and what each failure says. */
#include "auth/secret_box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HEX_A  "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define BASE_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define HEX_B  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define VALUE  "whsec_canary"

static void keys_of(auth_secret_keys *keys, const char *text) {
    core_error error = {.text = ""};
    *keys = (auth_secret_keys){.count = 0};
    if (!auth_secret_keys_read(keys, core_slice_text(text), "here", &error))
        fail_msg("%s: %s", text, error.text);
}

static void keys_are_read_in_both_forms(void **state) {
    (void)state;
    auth_secret_keys keys, other;
    keys_of(&keys, HEX_A);
    keys_of(&other, BASE_A);
    assert_int_equal(keys.count, 1);
    assert_memory_equal(keys.keys[0].key, other.keys[0].key, AUTH_GCM_KEY_SIZE);
    assert_int_equal(keys.keys[0].key[31], 31);
    assert_true(keys.keys[0].id == other.keys[0].id);
    keys_of(&keys, "# of May\n" HEX_B " # the present one\r\n\n," BASE_A "\n");
    assert_int_equal(keys.count, 2);
    assert_true(auth_secret_keys_find(&keys, other.keys[0].id) == &keys.keys[1]);
    assert_null(auth_secret_keys_find(&keys, 1));
    auth_secret_keys_wipe(&keys);
    assert_int_equal(keys.keys[0].key[0], 0);
}

static void what_is_no_key_is_refused_and_not_told(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "# none\n",
                                        "short",
                                        HEX_A "0",
                                        "g" HEX_A,
                                        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
                                        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ==",
                                        HEX_A "\nhunter2-hunter2"};
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++) {
        auth_secret_keys keys = {.count = 0};
        core_error error = {.text = ""};
        assert_false(
            auth_secret_keys_read(&keys, core_slice_text(wrong[i]), "secrets.key", &error));
        assert_int_equal(error.code, CORE_ERROR_CONFIG);
        assert_non_null(strstr(error.text, "secrets.key: "));
        assert_null(strstr(error.text, "hunter2"));
        assert_null(strstr(error.text, "0102"));
    }
    core_buffer many;
    core_buffer_init(&many, 8192);
    for (int i = 0; i <= AUTH_SECRET_KEYS_MAX; i++)
        core_buffer_text(&many, HEX_A "\n");
    auth_secret_keys keys = {.count = 0};
    core_error error = {.text = ""};
    assert_false(auth_secret_keys_read(&keys, core_buffer_slice(&many), "here", &error));
    assert_non_null(strstr(error.text, "more than 16"));
    core_buffer_fini(&many);
}

static bool load(auth_secret_keys *keys, const char *key, const char *file, core_error *error) {
    if (key != NULL)
        (void)setenv("WALCAST_SECRETS_KEY", key, 1);
    if (file != NULL)
        (void)setenv("WALCAST_SECRETS_KEY_FILE", file, 1);
    core_config *config = core_config_load("/dev/null", stderr);
    assert_non_null(config);
    bool ok = auth_secret_keys_load(keys, config, error);
    core_config_free(config);
    (void)unsetenv("WALCAST_SECRETS_KEY");
    (void)unsetenv("WALCAST_SECRETS_KEY_FILE");
    return ok;
}

static void the_file_and_who_may_read_it(void **state) {
    (void)state;
    char path[] = "/tmp/walcast-keys-XXXXXX";
    auth_secret_keys keys;
    core_error error = {.text = ""};
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, HEX_A "\n" HEX_B "\n", 130) == 130);
    assert_true(load(&keys, NULL, path, &error));
    assert_true(keys.count == 2 && keys.exposed == 0);
    assert_int_equal(fchmod(fd, 0640), 0);
    assert_true(load(&keys, NULL, path, &error));
    assert_int_equal(keys.exposed, 0640);
    assert_false(load(&keys, HEX_A, path, &error));
    assert_non_null(strstr(error.text, "both set"));
    assert_int_equal(ftruncate(fd, AUTH_SECRET_KEYS_TEXT_MAX + 1), 0);
    assert_false(load(&keys, NULL, path, &error));
    assert_non_null(strstr(error.text, "more than 8192 bytes"));
    (void)close(fd);
    (void)unlink(path);
    assert_false(load(&keys, NULL, path, &error));
    assert_non_null(strstr(error.text, "cannot be opened"));
    assert_false(load(&keys, NULL, "/", &error));
    assert_non_null(strstr(error.text, "cannot be read"));
    assert_true(load(&keys, HEX_A, NULL, &error));
    assert_int_equal(keys.count, 1);
    assert_true(load(&keys, NULL, NULL, &error));
    assert_int_equal(keys.count, 0);
}

/* ---- Boxes ---- */

typedef struct {
    auth_secret_keys keys;
    auth_secret_id id;
    core_buffer box;
    core_buffer plain;
    core_error error;
} fixture;

static auth_secret_id id_of(const char *project, const char *name) {
    return (auth_secret_id){.project = core_slice_text(project), .name = core_slice_text(name)};
}

static int fixture_new(void **state) {
    fixture *it = calloc(1, sizeof *it);
    assert_non_null(it);
    keys_of(&it->keys, HEX_A "," HEX_B);
    it->id = id_of("shop", "stripe");
    core_buffer_init(&it->box, AUTH_SECRET_BOX_MAX);
    core_buffer_init(&it->plain, AUTH_SECRET_MAX);
    assert_true(
        auth_secret_box_seal(&it->keys, &it->id, 77, core_slice_text(VALUE), &it->box, &it->error));
    *state = it;
    return 0;
}

static int fixture_free(void **state) {
    fixture *it = *state;
    core_buffer_fini(&it->box);
    auth_wipe_buffer(&it->plain);
    free(it);
    return 0;
}

static bool opens(fixture *it) {
    core_buffer_reset(&it->plain);
    return auth_secret_box_open(&it->keys, &it->id, core_buffer_slice(&it->box), &it->plain,
                                &it->error);
}

static void opened_it_is_what_it_was(void **state) {
    fixture *it = *state;
    auth_secret_box box;
    assert_true(opens(it));
    assert_true(core_slice_is(core_buffer_slice(&it->plain), VALUE));
    assert_true(auth_secret_box_read(core_buffer_slice(&it->box), &box, &it->error));
    assert_true(box.created_us == 77 && box.key_id == it->keys.keys[0].id);
    assert_true(core_slice_is(box.id.project, "shop") && core_slice_is(box.id.name, "stripe"));
    assert_null(memmem(it->box.data, it->box.length, VALUE, 6));
    core_buffer again;
    core_buffer_init(&again, AUTH_SECRET_BOX_MAX);
    assert_true(
        auth_secret_box_seal(&it->keys, &it->id, 77, core_slice_text(VALUE), &again, &it->error));
    assert_int_equal(again.length, it->box.length);
    assert_memory_not_equal(again.data, it->box.data, again.length); /* another nonce */
    core_buffer_fini(&again);
}

static void an_older_key_opens_and_a_missing_one_is_named(void **state) {
    fixture *it = *state;
    auth_secret_key first = it->keys.keys[0];
    it->keys.keys[0] = it->keys.keys[1];
    it->keys.keys[1] = first;
    assert_true(opens(it));
    it->keys.count = 1;
    assert_false(opens(it));
    assert_int_equal(it->error.code, CORE_ERROR_CONFIG);
    char id[24];
    (void)snprintf(id, sizeof id, "%016llx", (unsigned long long)first.id);
    assert_non_null(strstr(it->error.text, id));
    it->keys.keys[0].id = first.id; /* one that only says so */
    assert_false(opens(it));
    assert_non_null(strstr(it->error.text, "was changed"));
}

static void another_secrets_value_does_not_open(void **state) {
    fixture *it = *state;
    const auth_secret_id others[] = {id_of("shop", "other"), id_of("shops", "tripe"),
                                     id_of("other", "stripe")};
    for (size_t i = 0; i < CORE_COUNT_OF(others); i++) {
        it->id = others[i];
        assert_false(opens(it));
        assert_int_equal(it->error.code, CORE_ERROR_INPUT);
        assert_non_null(strstr(it->error.text, "another secret's (stripe of project shop)"));
    }
}

static void no_changed_byte_goes_unseen(void **state) {
    fixture *it = *state;
    for (size_t i = 0; i < it->box.length; i++) {
        it->box.data[i] ^= 0x20;
        assert_false(opens(it));
        assert_int_equal(it->plain.length, 0);
        assert_null(strstr(it->error.text, "canary"));
        it->box.data[i] ^= 0x20;
    }
    size_t whole = it->box.length;
    for (it->box.length = 0; it->box.length < whole; it->box.length++)
        assert_false(opens(it));
    assert_true(opens(it));
}

/* A name that was changed in the clear too, so that it fits where the value was put. */
static void a_forged_name_does_not_open(void **state) {
    fixture *it = *state;
    uint8_t *name = memmem(it->box.data, it->box.length, "stripe", 6);
    assert_non_null(name);
    memcpy(name, "paypal", 6);
    it->id = id_of("shop", "paypal");
    assert_false(opens(it));
    assert_non_null(strstr(it->error.text, "was changed"));
}

static void the_largest_fits_and_no_larger(void **state) {
    fixture *it = *state;
    static uint8_t value[AUTH_SECRET_MAX + 1];
    core_buffer_reset(&it->box);
    assert_true(auth_secret_box_seal(&it->keys, &it->id, 1, core_slice_make(value, AUTH_SECRET_MAX),
                                     &it->box, &it->error));
    assert_true(opens(it));
    assert_int_equal(it->plain.length, AUTH_SECRET_MAX);
    core_buffer_fini(&it->plain);
    core_buffer_init(&it->plain, AUTH_SECRET_MAX - 1);
    assert_false(opens(it));
    assert_int_equal(it->error.code, CORE_ERROR_LIMIT);
    it->plain.failed = false;
}

#define BOX_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_new, fixture_free)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_in_both_forms),
        cmocka_unit_test(what_is_no_key_is_refused_and_not_told),
        cmocka_unit_test(the_file_and_who_may_read_it),
        BOX_TEST(opened_it_is_what_it_was),
        BOX_TEST(an_older_key_opens_and_a_missing_one_is_named),
        BOX_TEST(another_secrets_value_does_not_open),
        BOX_TEST(no_changed_byte_goes_unseen),
        BOX_TEST(a_forged_name_does_not_open),
        BOX_TEST(the_largest_fits_and_no_larger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
