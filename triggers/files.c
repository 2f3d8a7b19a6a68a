/* See files.h. */
#include "triggers/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATH_SIZE       4096
#define DEPTH_MAX       4
#define FACTS_BYTES_MAX ((size_t)256 << 10)

void triggers_files_init(triggers_files *files) {
    *files = (triggers_files){.count = 0};
}

static void file_fini(triggers_file *file) {
    free(file->path);
    free(file->name);
    core_problems_fini(&file->problems);
    core_buffer_fini(&file->facts);
    core_document_free(file->document);
    triggers_definition_release(file->definition);
}

void triggers_files_fini(triggers_files *files) {
    for (size_t i = 0; i < files->count; i++)
        file_fini(&files->items[i]);
    free(files->items);
    triggers_files_init(files);
}

/* ---- One file ---- */

static bool file_text(const char *path, core_buffer *text, core_error *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return core_error_set(error, CORE_ERROR_INPUT, "cannot be opened: %s", strerror(errno));
    uint8_t *room = core_buffer_reserve(text, CORE_DOCUMENT_BYTES_MAX + 1);
    size_t got = room != NULL ? fread(room, 1, CORE_DOCUMENT_BYTES_MAX + 1, file) : 0;
    bool ok = room != NULL && ferror(file) == 0;
    core_buffer_commit(text, got);
    (void)fclose(file);
    return ok || core_error_set(error, CORE_ERROR_INPUT, "cannot be read");
}

static triggers_file *file_room(triggers_files *files) {
    if (files->count == files->room && files->room < TRIGGERS_FILES_MAX) {
        size_t room = files->room > 0 ? files->room * 2 : 16;
        triggers_file *items = realloc(files->items, room * sizeof *items);
        if (items == NULL)
            return NULL;
        files->items = items;
        files->room = room;
    }
    if (files->count == TRIGGERS_FILES_MAX || files->count == files->room)
        return NULL;
    triggers_file *file = &files->items[files->count];
    *file = (triggers_file){.path = NULL};
    core_problems_init(&file->problems);
    core_buffer_init(&file->facts, FACTS_BYTES_MAX);
    return file;
}

static void file_read(triggers_file *file, const triggers_definition_facts *facts, uint64_t *hash) {
    core_buffer text;
    core_error error = {.text = ""};
    core_buffer_init(&text, CORE_DOCUMENT_BYTES_MAX + 1);
    if (!file_text(file->path, &text, &error))
        (void)core_problem_tell(&file->problems, (core_place){0}, "%s", error.text);
    else
        file->document = core_document_read(core_buffer_slice(&text), &file->problems);
    if (file->document != NULL)
        file->definition = triggers_definition_of(file->document, facts, &file->problems);
    *hash = core_slice_hash_more(*hash, core_slice_text(file->name));
    *hash = core_slice_hash_more(*hash, core_buffer_slice(&text));
    core_buffer_fini(&text);
}

/* `name` is within the directory that was asked for. */
static bool file_add(triggers_files *files, const char *path, const char *name, core_error *error) {
    triggers_file *file = file_room(files);
    if (file == NULL)
        return core_error_set(error, CORE_ERROR_LIMIT, "%s: more than %d files, or no memory", path,
                              TRIGGERS_FILES_MAX);
    file->path = strdup(path);
    file->name = strdup(name);
    files->count++;
    return (file->path != NULL && file->name != NULL) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no memory for files");
}

/* ---- A directory ---- */

static bool name_counts(const char *name) {
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    size_t length = strlen(name);
    for (size_t i = 0; i < CORE_COUNT_OF(endings); i++) {
        size_t ending = strlen(endings[i]);
        if (length > ending && strcmp(name + length - ending, endings[i]) == 0)
            return true;
    }
    return false;
}

typedef bool (*entry_handler)(void *context, const char *path, const char *name,
                              const struct stat *facts, core_error *error);

/* Each file of the directory that counts. ENOENT is left in errno where it is not there. */
static bool directory_walk(const char *directory, const char *within, unsigned depth,
                           entry_handler take, void *context, core_error *error) {
    DIR *entries = opendir(directory);
    struct dirent *entry;
    bool ok = true;
    if (entries == NULL) {
        int failure = errno;
        (void)core_error_set(error, CORE_ERROR_INPUT, "%s: %s", directory, strerror(failure));
        errno = failure;
        return false;
    }
    while (ok && (entry = readdir(entries)) != NULL) {
        char path[PATH_SIZE], name[PATH_SIZE];
        struct stat facts;
        if (entry->d_name[0] == '.')
            continue;
        const char *slash = directory[strlen(directory) - 1] == '/' ? "" : "/";
        int length = snprintf(path, sizeof path, "%s%s%s", directory, slash, entry->d_name);
        (void)snprintf(name, sizeof name, "%s%s", within, entry->d_name);
        if (length >= PATH_SIZE || stat(path, &facts) != 0)
            continue;
        if (S_ISDIR(facts.st_mode) && depth < DEPTH_MAX) {
            size_t end = strlen(name);
            (void)snprintf(name + end, sizeof name - end, "/");
            ok = directory_walk(path, name, depth + 1, take, context, error);
        } else if (S_ISREG(facts.st_mode) && name_counts(name)) {
            ok = take(context, path, name, &facts, error);
        }
    }
    (void)closedir(entries);
    return ok;
}

static bool entry_add(void *context, const char *path, const char *name, const struct stat *facts,
                      core_error *error) {
    (void)facts;
    return file_add(context, path, name, error);
}

static int file_compare(const void *a, const void *b) {
    return strcmp(((const triggers_file *)a)->path, ((const triggers_file *)b)->path);
}

bool triggers_files_add(triggers_files *files, const char *path, bool may_be_missing,
                        const triggers_definition_facts *facts, core_error *error) {
    struct stat found;
    size_t before = files->count;
    bool ok;
    if (stat(path, &found) == 0 && S_ISREG(found.st_mode))
        ok = file_add(files, path, path, error);
    else {
        errno = 0;
        ok = directory_walk(path, "", 1, entry_add, files, error) ||
             (may_be_missing && errno == ENOENT && files->count == before);
    }
    if (files->count > before)
        qsort(files->items + before, files->count - before, sizeof files->items[0], file_compare);
    for (size_t i = before; ok && i < files->count; i++)
        file_read(&files->items[i], facts, &files->hash);
    return ok;
}

/* ---- All of them ---- */

static bool same_place(const triggers_definition *a, const triggers_definition *b) {
    return core_slice_equal(a->name, b->name) && core_slice_equal(a->project, b->project);
}

void triggers_files_end(triggers_files *files) {
    for (size_t i = 0; i < files->count; i++) {
        triggers_file *file = &files->items[i];
        for (size_t j = 0; j < i && file->definition != NULL; j++) {
            const triggers_file *other = &files->items[j];
            if (other->definition == NULL || !same_place(file->definition, other->definition))
                continue;
            const core_node *name = core_node_find(core_document_root(file->document), "name");
            (void)core_problem_tell(&file->problems, name->place, "name: %.*s is also in %s",
                                    CORE_SLICE_ARGS(file->definition->name), other->path);
            break;
        }
    }
}

static bool entry_look(void *context, const char *path, const char *name, const struct stat *facts,
                       core_error *error) {
    uint64_t *look = context;
    const int64_t numbers[] = {facts->st_mtim.tv_sec, facts->st_mtim.tv_nsec, facts->st_size,
                               (int64_t)facts->st_ino};
    (void)path;
    (void)error;
    uint64_t one = core_slice_hash_more(core_slice_hash(core_slice_text(name)),
                                        core_slice_make(numbers, sizeof numbers));
    *look ^= one; /* in whatever order they come */
    return true;
}

uint64_t triggers_files_look(const char *directory) {
    uint64_t look = 0;
    core_error ignored;
    return directory_walk(directory, "", 1, entry_look, &look, &ignored) ? look : 0;
}
