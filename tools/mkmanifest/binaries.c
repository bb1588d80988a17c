/* SPDX-License-Identifier: MIT */
/*
 * Loads the programs that a manifest embeds. A path is relative to one folder and stays inside it:
 * it is opened step by step without following a symbolic link, so that nothing outside the folder
 * can be reached, not even by a link made between a check and its use.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/mkmanifest/model.h"

enum { BINARY_BYTES_MAX = 256 * 1024 * 1024, FOLDER_NAMES_MAX = 1024 };

struct name_list model_binary_names(struct model *model)
{
    const char **names = pool_alloc(&model->pool, model->binary_count + 1, sizeof(*names));

    for (size_t i = 0; i < model->binary_count; i++) {
        names[i] = model->binaries[i].name;
    }
    return (struct name_list){names, model->binary_count};
}

struct binary_place {
    struct model *model;
    const char *json_path;
    const char *path; /* as written */
};

static bool refuse(const struct binary_place *place, const char *rule, const char *found,
                   const char *suggestion)
{
    struct pool *pool = &place->model->pool;

    return report_refuse(
        &place->model->report,
        (struct refusal_text){place->json_path, rule,
                              pool_format(pool, "\"%s\"%s%s", place->path,
                                          found == NULL ? "" : ": ", found == NULL ? "" : found),
                              suggestion});
}

/* The file of this folder whose name is nearest. */
static const char *suggest_file(struct pool *pool, int folder, const char *name)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    struct name_list list = {pool_alloc(pool, FOLDER_NAMES_MAX, sizeof(char *)), 0};
    const char *nearest;

    if (stream == NULL) {
        return "a folder that can be read";
    }
    for (struct dirent *entry = readdir(stream); entry != NULL && list.count < FOLDER_NAMES_MAX;
         entry = readdir(stream)) {
        if (entry->d_name[0] != '.') {
            list.names[list.count++] = pool_string(pool, entry->d_name);
        }
    }
    closedir(stream);
    nearest = nearest_name(name, list);
    return nearest == NULL ? "build the program first, or name another folder with --binaries"
                           : pool_format(pool, "\"%s\"", nearest);
}

static bool path_is_inside(const struct binary_place *place)
{
    const char *rest = place->path;

    if (rest[0] == '/') {
        return refuse(place, "a binary's path is relative to the folder of binaries", NULL,
                      pool_format(&place->model->pool, "\"%s\"", strrchr(rest, '/') + 1));
    }
    for (;;) {
        size_t length = strcspn(rest, "/");

        if (length == 0 || strncmp(rest, ".", length) == 0 ||
            (length == 2 && strncmp(rest, "..", 2) == 0)) {
            return refuse(place, "a binary's path has no empty, \".\" or \"..\" parts", NULL,
                          "a path below the folder of binaries");
        }
        if (rest[length] == '\0') {
            return true;
        }
        rest += length + 1;
    }
}

/* Why opening failed, in terms of the rules. */
static bool refuse_open(const struct binary_place *place, int folder, const char *part)
{
    struct pool *pool = &place->model->pool;
    int error = errno;

    if (error == ENOENT) {
        return refuse(place, "the file exists", pool_format(pool, "no \"%s\" there", part),
                      suggest_file(pool, folder, part));
    }
    if (error == ELOOP || error == ENOTDIR) {
        return refuse(place, "no part of a binary's path is a symbolic link, only the last a file",
                      pool_format(pool, "\"%s\" is a link or no folder", part),
                      "the file itself, copied into the folder of binaries");
    }
    return refuse(place, "the file can be opened", strerror(error), "let it be read");
}

/* Opens the file below `folder` (which stays open); -1 and a report when it is refused. */
static int file_open(const struct binary_place *place, int folder)
{
    struct pool *pool = &place->model->pool;
    const char *rest = place->path;
    int at = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    bool last = false;

    while (at >= 0 && !last) {
        size_t length = strcspn(rest, "/");
        char *part = pool_format(pool, "%.*s", (int)length, rest);
        int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
        int next;

        last = rest[length] == '\0';
        next = openat(at, part, last ? flags : flags | O_DIRECTORY);
        if (next < 0) {
            refuse_open(place, at, part);
        }
        close(at);
        at = next;
        rest += length + 1;
    }
    return at;
}

static bool file_read(const struct binary_place *place, int file, struct model_binary *binary)
{
    struct stat facts;
    uint8_t *bytes;
    size_t used = 0;

    if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return refuse(place, "a binary is a regular file", "a folder, device, pipe or socket",
                      "the program's own file");
    }
    if (facts.st_size < 0 || facts.st_size > BINARY_BYTES_MAX) {
        return refuse(place, "a binary has at most 256 MiB",
                      pool_format(&place->model->pool, "%lld bytes", (long long)facts.st_size),
                      "a program without debugging information");
    }
    binary->length = (size_t)facts.st_size;
    bytes = pool_alloc(&place->model->pool, binary->length + 1, 1);
    while (used < binary->length) {
        ssize_t count = read(file, bytes + used, binary->length - used);

        if (count <= 0) {
            return refuse(place, "the file can be read",
                          count == 0 ? "it became shorter" : strerror(errno),
                          "again, when nobody writes to it");
        }
        used += (size_t)count;
    }
    binary->bytes = bytes;
    return true;
}

static bool binary_load(const struct binary_place *place, int folder, struct model_binary *binary)
{
    int file;
    bool good;

    if (!path_is_inside(place)) {
        return false;
    }
    file = file_open(place, folder);
    if (file < 0) {
        return refuse(place, "the file can be opened", NULL, "again");
    }
    good = file_read(place, file, binary);
    close(file);
    return good;
}

bool model_load_binaries(struct model *model, const char *folder)
{
    int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = true;

    if (root < 0) {
        return report_refuse(
            &model->report,
            (struct refusal_text){"$.binaries", "the folder of binaries can be opened",
                                  pool_format(&model->pool, "\"%s\": %s", folder, strerror(errno)),
                                  "--binaries FOLDER"});
    }
    for (size_t i = 0; i < model->binary_count && good; i++) {
        struct binary_place place = {model, pool_format(&model->pool, "$.binaries[%zu].path", i),
                                     model->binaries[i].path};

        good = binary_load(&place, root, &model->binaries[i]);
    }
    close(root);
    return good;
}
