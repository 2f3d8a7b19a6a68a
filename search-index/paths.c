/* See paths.h. */
#include "search-index/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Directories ---- */

/* Bytes that a file's name should not have are `=XX`. */
static void name_append(core_buffer *out, core_slice name) {
    for (size_t i = 0; i < name.length; i++) {
        uint8_t byte = name.data[i];
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
        if (is_plain)
            core_buffer_u8(out, byte);
        else
            core_buffer_format(out, "=%02X", byte);
    }
}

/* With all above it. */
static bool directory_make(char *path, core_error *error) {
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char was = *at;
        *at = '\0';
        bool ok = mkdir(path, 0700) == 0 || errno == EEXIST;
        if (!ok)
            (void)core_error_set(error, errno == ENOSPC ? CORE_ERROR_FULL : CORE_ERROR_CONFIG,
                                 "search.dir: %s cannot be made: %s", path, strerror(errno));
        *at = was;
        if (!ok || was == '\0')
            return ok;
    }
}

static bool path_of(const search_spec *spec, core_slice project, char path[SEARCH_PATH_SIZE],
                    core_error *error) {
    core_buffer out = core_buffer_over(path, SEARCH_PATH_SIZE);
    core_buffer_text(&out, core_config_text(spec->config, "search.dir"));
    core_buffer_u8(&out, '/');
    name_append(&out, core_slice_text(core_config_text(spec->config, "nats.stream")));
    if (project.length > 0) {
        core_buffer_u8(&out, '/');
        name_append(&out, project);
    }
    core_buffer_u8(&out, 0);
    return core_buffer_ok(&out) ||
           core_error_set(error, CORE_ERROR_CONFIG, "search.dir: the path is too long");
}

bool search_paths_directory(const search_spec *spec, core_slice project,
                            char path[SEARCH_PATH_SIZE], core_error *error) {
    return path_of(spec, project, path, error) && directory_make(path, error);
}

bool search_paths_tasks(const search_spec *spec, char path[SEARCH_PATH_SIZE], core_error *error) {
    static const char name[] = "/.tasks.db"; /* no project's directory */
    if (!path_of(spec, core_slice_make(NULL, 0), path, error))
        return false;
    size_t used = strlen(path);
    if (used + sizeof name > SEARCH_PATH_SIZE)
        return core_error_set(error, CORE_ERROR_CONFIG, "search.dir: the path is too long");
    memcpy(path + used, name, sizeof name);
    return true;
}

int search_paths_lock(const search_spec *spec, core_error *error) {
    char path[SEARCH_PATH_SIZE], lock[SEARCH_PATH_SIZE + 8];
    if (!path_of(spec, core_slice_make(NULL, 0), path, error) || !directory_make(path, error))
        return -1;
    (void)snprintf(lock, sizeof lock, "%s/lock", path);
    int fd = open(lock, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)core_error_set(error, CORE_ERROR_CONFIG, "%s: %s", lock, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    (void)close(fd);
    (void)core_error_set(error, CORE_ERROR_TRANSIENT,
                         "%s is another process's: give each its own search.dir", path);
    return -1;
}

/* ---- Files ---- */

bool search_paths_file(const char *directory, core_slice uid, search_file file,
                       char path[SEARCH_PATH_SIZE]) {
    int length = snprintf(path, SEARCH_PATH_SIZE, "%s/%.*s.%" PRIu64 "-%" PRIu32 ".db", directory,
                          CORE_SLICE_ARGS(uid), file.generation, file.build);
    return length > 0 && length < SEARCH_PATH_SIZE;
}

/* "{uid}.{generation}-{build}.db" */
static bool name_read(const char *name, core_slice uid, search_file *file) {
    core_slice text = core_slice_text(name);
    uint64_t build;
    if (!core_slice_begins(text, uid) || text.length <= uid.length || name[uid.length] != '.')
        return false;
    const char *numbers = name + uid.length + 1;
    const char *dash = strchr(numbers, '-'), *end = dash != NULL ? strstr(dash, ".db") : NULL;
    if (end == NULL || end[3] != '\0' ||
        !core_slice_to_u64(core_slice_make(numbers, (size_t)(dash - numbers)), &file->generation) ||
        !core_slice_to_u64(core_slice_make(dash + 1, (size_t)(end - dash - 1)), &build) ||
        build > UINT32_MAX)
        return false;
    file->build = (uint32_t)build;
    return true;
}

/* Of whatever index: a name holds no dot. */
static bool any_name_read(const char *name, search_file *file) {
    const char *dot = strchr(name, '.');
    return dot != NULL && dot > name &&
           name_read(name, core_slice_make(name, (size_t)(dot - name)), file);
}

static void project_each(const char *directory, search_path_taker take, void *context) {
    DIR *entries = opendir(directory);
    struct dirent *entry;
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        char path[SEARCH_PATH_SIZE];
        search_file file;
        int length = snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (length < SEARCH_PATH_SIZE && any_name_read(entry->d_name, &file))
            take(context, path, file);
    }
    if (entries != NULL)
        (void)closedir(entries);
}

void search_paths_each(const search_spec *spec, search_path_taker take, void *context) {
    char base[SEARCH_PATH_SIZE], path[SEARCH_PATH_SIZE];
    core_error ignored;
    if (!path_of(spec, core_slice_make(NULL, 0), base, &ignored))
        return;
    DIR *entries = opendir(base);
    struct dirent *entry;
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        int length = snprintf(path, sizeof path, "%s/%s", base, entry->d_name);
        if (entry->d_name[0] != '.' && length < SEARCH_PATH_SIZE)
            project_each(path, take, context);
    }
    if (entries != NULL)
        (void)closedir(entries);
}

static int newest_first(const void *a, const void *b) {
    const search_file *left = a, *right = b;
    if (left->generation != right->generation)
        return left->generation < right->generation ? 1 : -1;
    return (left->build < right->build) - (left->build > right->build);
}

size_t search_paths_list(const char *directory, core_slice uid, uint64_t generation,
                         search_file files[SEARCH_BUILDS_MAX]) {
    DIR *entries = opendir(directory);
    struct dirent *entry;
    size_t count = 0;
    if (entries == NULL)
        return 0;
    while (count < SEARCH_BUILDS_MAX && (entry = readdir(entries)) != NULL)
        count += name_read(entry->d_name, uid, &files[count]) &&
                 (generation == 0 || files[count].generation == generation);
    (void)closedir(entries);
    qsort(files, count, sizeof files[0], newest_first);
    return count;
}
