// Runs a SavedModel as a server does: with TensorFlow's C library, without Python, and nothing of this project.
//
//   serve [-l LIBRARY]... -c FEEDS=FETCHES... MODEL < requests > answers
//   serve [-l LIBRARY]... -c FEEDS=FETCHES... -t THREADS -n CALLS MODEL < requests
//   serve [-l LIBRARY]... -o > operations
//
// -l loads a library of operations, before the model. -c describes a call: the names of the tensors to feed and to
// fetch, with commas between them. A request names its call by its place among the -c.
//
//   request = call uint32, a tensor for each feed
//   answer  = microseconds int64, bytes int64, code int32, a tensor for each fetch or, where code is not 0, a message
//   tensor  = type int32, rank int32, dimensions int64 each, values
//
// Each request and each answer stands behind its size in bytes, a uint64. Numbers are those of the machine. Types and
// codes are TensorFlow's (TF_DataType, TF_Code). Values are as in memory; a string stands behind its size, a uint64.
// An answer says how long the call took, and how much memory the process holds after it. The first answer is that of
// loading the model; if it has a code, nothing follows.
//
// With -t all requests are read and answered one after the other. Then each thread makes CALLS calls, from another
// request on than the next thread, and compares the answers with the first ones, byte by byte. One line says what came
// of it; the exit status is 1 if an answer differed or was an error.
//
// With -o no model is loaded: the program writes which operations it knows, as TensorFlow's OpList.

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tensorflow/c/c_api.h"

enum { MAX_CALLS = 32, MAX_TENSORS = 32, MAX_RANK = 8, MAX_THREADS = 256 };
enum { FIGURES_SIZE = 2 * sizeof(int64_t) };  // microseconds and bytes: what two equal answers may differ in

// Bytes that grow at the end; the memory is kept for the next use.
typedef struct {
  char* data;
  size_t size, capacity;
} Buffer;

// What is left to read of a request.
typedef struct {
  const char* next;
  size_t left;
} Reader;

typedef struct {
  TF_Output feeds[MAX_TENSORS], fetches[MAX_TENSORS];
  int feed_count, fetch_count;
} Call;

typedef struct {
  TF_Graph* graph;
  TF_Session* session;
  Call calls[MAX_CALLS];
  uint32_t call_count;
} Model;

static void fail(const char* message, const char* detail) {
  fprintf(stderr, "serve: %s%s%s\n", message, detail ? ": " : "", detail ? detail : "");
  exit(2);
}

static int64_t microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// What of the process is in memory, in bytes.
static int64_t resident_bytes(void) {
  char line[256];
  long long kilobytes = -1;
  FILE* status = fopen("/proc/self/status", "r");
  while (status && fgets(line, sizeof line, status))
    if (sscanf(line, "VmRSS: %lld", &kilobytes) == 1) break;
  if (status) fclose(status);
  return kilobytes * 1024;
}

// Bytes

static char* extend(Buffer* buffer, size_t size) {
  if (buffer->size + size >= buffer->capacity) {
    buffer->capacity = 2 * (buffer->size + size) + 64;
    buffer->data = realloc(buffer->data, buffer->capacity);
    if (!buffer->data) fail("no memory left", NULL);
  }
  buffer->size += size;
  return buffer->data + buffer->size - size;
}

static void append(Buffer* buffer, const void* bytes, size_t size) {
  if (size) memcpy(extend(buffer, size), bytes, size);
}

// Takes the next bytes of a request; false if there are not as many.
static bool take(Reader* reader, void* bytes, size_t size) {
  if (size > reader->left) return false;
  if (size) memcpy(bytes, reader->next, size);
  reader->next += size;
  reader->left -= size;
  return true;
}

// Reads what stands behind its size; false at the end of the file.
static bool read_sized(FILE* file, Buffer* buffer) {
  uint64_t size;
  if (fread(&size, sizeof size, 1, file) != 1) return false;
  buffer->size = 0;
  if (size > SIZE_MAX / 4) fail("a request too large for this machine", NULL);
  if (fread(extend(buffer, size), 1, size, file) != size) fail("a request was cut short", NULL);
  return true;
}

static void write_sized(FILE* file, const Buffer* buffer) {
  const uint64_t size = buffer->size;
  const bool written = fwrite(&size, sizeof size, 1, file) == 1 && fwrite(buffer->data, 1, size, file) == size;
  if (!written || fflush(file)) fail("nobody reads the answers", NULL);
}

// Tensors

static size_t value_count(const int64_t* dimensions, int rank) {
  size_t count = 1;
  for (int i = 0; i < rank; ++i)
    if (dimensions[i] < 0 || __builtin_mul_overflow(count, (size_t)dimensions[i], &count)) return SIZE_MAX;
  return count;
}

// The strings of a tensor are its owner's to free, before the tensor.
static void delete_fed(TF_Tensor* tensor) {
  if (!tensor) return;
  if (TF_TensorType(tensor) == TF_STRING) {
    TF_TString* strings = TF_TensorData(tensor);
    for (int64_t i = 0; i < TF_TensorElementCount(tensor); ++i) TF_StringDealloc(&strings[i]);
  }
  TF_DeleteTensor(tensor);
}

static bool read_strings(Reader* reader, TF_Tensor* tensor, size_t count) {
  TF_TString* strings = TF_TensorData(tensor);
  uint64_t size;
  for (size_t i = 0; i < count; ++i) TF_StringInit(&strings[i]);
  for (size_t i = 0; i < count; ++i) {
    if (!take(reader, &size, sizeof size) || size > reader->left) return false;
    TF_StringCopy(&strings[i], reader->next, size);
    reader->next += size;
    reader->left -= size;
  }
  return true;
}

// The next tensor of a request; NULL if there is none.
static TF_Tensor* read_tensor(Reader* reader) {
  int32_t type, rank;
  int64_t dimensions[MAX_RANK];
  if (!take(reader, &type, sizeof type) || !take(reader, &rank, sizeof rank) || rank < 0 || rank > MAX_RANK ||
      !take(reader, dimensions, (size_t)rank * sizeof *dimensions))
    return NULL;
  const size_t count = value_count(dimensions, rank);
  const size_t value_size = type == TF_STRING ? sizeof(TF_TString) : TF_DataTypeSize(type);
  const size_t least = type == TF_STRING ? sizeof(uint64_t) : value_size;  // bytes of the request for each value
  if (!value_size || count > reader->left / least) return NULL;
  TF_Tensor* tensor = TF_AllocateTensor(type, dimensions, rank, count * value_size);
  if (!tensor) fail("no memory left", NULL);
  const bool whole = type == TF_STRING ? read_strings(reader, tensor, count)
                                       : take(reader, TF_TensorData(tensor), count * value_size);
  if (whole) return tensor;
  delete_fed(tensor);
  return NULL;
}

static void write_tensor(const TF_Tensor* tensor, Buffer* answer) {
  const int32_t type_and_rank[] = {TF_TensorType(tensor), TF_NumDims(tensor)};
  append(answer, type_and_rank, sizeof type_and_rank);
  for (int i = 0; i < TF_NumDims(tensor); ++i) {
    const int64_t dimension = TF_Dim(tensor, i);
    append(answer, &dimension, sizeof dimension);
  }
  if (TF_TensorType(tensor) != TF_STRING) {
    append(answer, TF_TensorData(tensor), TF_TensorByteSize(tensor));
    return;
  }
  const TF_TString* strings = TF_TensorData(tensor);
  for (int64_t i = 0; i < TF_TensorElementCount(tensor); ++i) {
    const uint64_t size = TF_StringGetSize(&strings[i]);
    append(answer, &size, sizeof size);
    append(answer, TF_StringGetDataPointer(&strings[i]), size);
  }
}

// Calls

static bool read_feeds(Reader* reader, const Call* call, TF_Tensor** fed) {
  for (int i = 0; i < call->feed_count; ++i)
    if (!(fed[i] = read_tensor(reader))) return false;
  return reader->left == 0;
}

// The beginning of an answer: how long it took, and what became of it.
static void begin_answer(Buffer* answer, int64_t duration, const TF_Status* status) {
  const int64_t figures[] = {duration, resident_bytes()};
  const int32_t code = TF_GetCode(status);
  answer->size = 0;
  append(answer, figures, sizeof figures);
  append(answer, &code, sizeof code);
  if (code != TF_OK) append(answer, TF_Message(status), strlen(TF_Message(status)));
}

static TF_Code answer_request(const Model* model, const Buffer* request, Buffer* answer) {
  TF_Tensor *fed[MAX_TENSORS] = {NULL}, *fetched[MAX_TENSORS] = {NULL};
  TF_Status* status = TF_NewStatus();
  Reader reader = {request->data, request->size};
  uint32_t number;
  const bool known = take(&reader, &number, sizeof number) && number < model->call_count;
  const Call* call = known ? &model->calls[number] : NULL;
  int64_t duration = 0;
  if (!call || !read_feeds(&reader, call, fed)) {
    TF_SetStatus(status, TF_INVALID_ARGUMENT, "this is no request: expected a call and a tensor for each of its feeds");
  } else {
    const int64_t start = microseconds();
    TF_SessionRun(model->session, NULL, call->feeds, fed, call->feed_count, call->fetches, fetched, call->fetch_count,
                  NULL, 0, NULL, status);
    duration = microseconds() - start;
  }
  begin_answer(answer, duration, status);
  for (int i = 0; i < MAX_TENSORS; ++i) {
    if (fetched[i] && TF_GetCode(status) == TF_OK) write_tensor(fetched[i], answer);
    if (fetched[i]) TF_DeleteTensor(fetched[i]);
  }
  for (int i = 0; i < MAX_TENSORS; ++i) delete_fed(fed[i]);
  const TF_Code code = TF_GetCode(status);
  TF_DeleteStatus(status);
  return code;
}

// Loading

// Finds the tensors of names such as "serving_default_text:0", with commas between them; the text is cut up.
static int find_tensors(TF_Graph* graph, char* names, TF_Output* tensors, TF_Status* status) {
  int count = 0;
  char* rest = NULL;
  for (char* name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
    if (count == MAX_TENSORS) fail("too many tensors in one call", NULL);
    char* colon = strrchr(name, ':');
    if (colon) *colon = '\0';
    tensors[count] = (TF_Output){TF_GraphOperationByName(graph, name), colon ? atoi(colon + 1) : 0};
    if (!tensors[count++].oper) {
      char message[512];
      snprintf(message, sizeof message, "the model has no operation %s", name);
      TF_SetStatus(status, TF_NOT_FOUND, message);
    }
  }
  return count;
}

static void add_call(Model* model, char* text, TF_Status* status) {
  Call* call = &model->calls[model->call_count++];
  char* equals = strchr(text, '=');
  if (!equals) fail("expected FEEDS=FETCHES", text);
  *equals = '\0';
  call->feed_count = find_tensors(model->graph, text, call->feeds, status);
  if (TF_GetCode(status) == TF_OK) call->fetch_count = find_tensors(model->graph, equals + 1, call->fetches, status);
}

static void load_model(Model* model, const char* folder, TF_Status* status) {
  const char* tag = "serve";
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_Buffer* meta_graph = TF_NewBuffer();
  model->graph = TF_NewGraph();
  model->session = TF_LoadSessionFromSavedModel(options, NULL, folder, &tag, 1, model->graph, meta_graph, status);
  TF_DeleteBuffer(meta_graph);
  TF_DeleteSessionOptions(options);
}

// Threads

typedef struct {
  const Model* model;
  const Buffer *requests, *expected;
  size_t request_count, first, calls, differences;
} Worker;

static bool are_equal(const Buffer* one, const Buffer* other) {
  return one->size == other->size &&
         !memcmp(one->data + FIGURES_SIZE, other->data + FIGURES_SIZE, one->size - FIGURES_SIZE);
}

static void* work(void* argument) {
  Worker* worker = argument;
  Buffer answer = {0};
  for (size_t i = 0; i < worker->calls; ++i) {
    const size_t number = (worker->first + i) % worker->request_count;
    answer_request(worker->model, &worker->requests[number], &answer);
    worker->differences += !are_equal(&answer, &worker->expected[number]);
  }
  free(answer.data);
  return NULL;
}

// Calls in threads, and the number of answers that are not the expected ones.
static size_t count_differences(const Worker* common, size_t threads) {
  pthread_t handles[MAX_THREADS];
  Worker workers[MAX_THREADS];
  size_t differences = 0;
  for (size_t i = 0; i < threads; ++i) {
    workers[i] = *common;
    workers[i].first = i * common->request_count / threads;
    if (pthread_create(&handles[i], NULL, work, &workers[i])) fail("no thread could be started", NULL);
  }
  for (size_t i = 0; i < threads; ++i) {
    pthread_join(handles[i], NULL);
    differences += workers[i].differences;
  }
  return differences;
}

static size_t read_requests(Buffer** requests) {
  size_t count = 0, capacity = 0;
  Buffer request = {0};
  while (read_sized(stdin, &request)) {
    if (count == capacity) *requests = realloc(*requests, (capacity = 2 * capacity + 1) * sizeof **requests);
    if (!*requests) fail("no memory left", NULL);
    (*requests)[count++] = request;
    request = (Buffer){0};
  }
  return count;
}

// Answers all requests one after the other and then in threads; the exit status.
static int compare_threads(const Model* model, size_t threads, size_t calls) {
  Buffer* requests = NULL;
  const size_t count = read_requests(&requests);
  if (!count) fail("no request to compare with", NULL);
  Buffer* expected = calloc(count, sizeof *expected);
  if (!expected) fail("no memory left", NULL);
  size_t errors = 0;
  for (size_t i = 0; i < count; ++i) errors += answer_request(model, &requests[i], &expected[i]) != TF_OK;
  const int64_t start = microseconds();
  const size_t differences = count_differences(&(Worker){model, requests, expected, count, 0, calls, 0}, threads);
  printf("%zu requests, %zu errors; %zu threads x %zu calls, %zu differences; %.1f seconds, %lld MB\n", count, errors,
         threads, calls, differences, (double)(microseconds() - start) / 1e6, (long long)resident_bytes() / 1000000);
  for (size_t i = 0; i < count; ++i) {
    free(requests[i].data);
    free(expected[i].data);
  }
  free(requests);
  free(expected);
  return errors || differences;
}

// Answers requests until there are none.
static void serve(const Model* model) {
  Buffer request = {0}, answer = {0};
  while (read_sized(stdin, &request)) {
    answer_request(model, &request, &answer);
    write_sized(stdout, &answer);
  }
  free(request.data);
  free(answer.data);
}

// Writes all operations that are registered; the exit status.
static int list_operations(void) {
  TF_Buffer* list = TF_GetAllOpList();
  const bool written = fwrite(list->data, 1, list->length, stdout) == list->length && !fflush(stdout);
  TF_DeleteBuffer(list);
  return !written;
}

int main(int argument_count, char** arguments) {
  Model model = {0};
  TF_Status* status = TF_NewStatus();
  char* calls[MAX_CALLS];
  size_t call_count = 0, threads = 0, thread_calls = 0;
  bool only_list = false;
  const int64_t start = microseconds();
  for (int option; (option = getopt(argument_count, arguments, "l:c:t:n:o")) != -1;) {
    if (option == 'l' && TF_GetCode(status) == TF_OK) TF_DeleteLibraryHandle(TF_LoadLibrary(optarg, status));
    if (option == 'c' && call_count == MAX_CALLS) fail("too many calls", NULL);
    if (option == 'c') calls[call_count++] = optarg;
    if (option == 't') threads = strtoul(optarg, NULL, 10);
    if (option == 'n') thread_calls = strtoul(optarg, NULL, 10);
    if (option == 'o') only_list = true;
    if (option == '?') fail("expected options as this program's first lines say", NULL);
  }
  if (only_list && TF_GetCode(status) != TF_OK) fail("a library was not loaded", TF_Message(status));
  if (only_list) return list_operations();
  if (optind != argument_count - 1 || threads > MAX_THREADS) fail("expected one model, and at most 256 threads", NULL);
  if (TF_GetCode(status) == TF_OK) load_model(&model, arguments[optind], status);
  for (size_t i = 0; i < call_count && TF_GetCode(status) == TF_OK; ++i) add_call(&model, calls[i], status);

  Buffer loading = {0};
  begin_answer(&loading, microseconds() - start, status);
  int exit_status = TF_GetCode(status) != TF_OK;
  if (exit_status && threads) fail("the model was not loaded", TF_Message(status));
  if (!threads) write_sized(stdout, &loading);
  if (!exit_status && threads) exit_status = compare_threads(&model, threads, thread_calls);
  if (!exit_status && !threads) serve(&model);
  free(loading.data);
  if (model.session) TF_DeleteSession(model.session, status);
  if (model.graph) TF_DeleteGraph(model.graph);
  TF_DeleteStatus(status);
  return exit_status;
}
