// Damaged `.pte` files against the C ABI. usage: fuzz_program damaged|resealed|metadata NOTE FIRST COUNT FILE...
//
// damaged: as damage happens, so that the checksum is wrong: refused before anything is parsed.
// resealed: the program is damaged and the checksum made right again: what stands behind it. ExecuTorch may crash on
//   such a program, so each case has a process of its own; what ended it is printed after a line `crash <tab> case`.
// metadata: PROGRAM OFFSET ROOM TEXTS in place of FILE...: each text of TEXTS stands, with spaces after it, where the
//   program has its metadata; the checksum is right. The numbers of those that ran are printed after `accepted <tab>`.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "cases.h"
#include "crc32.h"
#include "edge_asr.h"

namespace {

using fuzz::Bytes;
using fuzz::Cases;
using fuzz::Chance;
using fuzz::MemoryFile;

constexpr std::size_t kTrailerBytes = 12;
constexpr std::size_t kSamples = 24'000;

Bytes unsealed(const Bytes& file) { return Bytes(file.begin(), file.end() - kTrailerBytes); }

void seal(Bytes& program) {
  const std::uint32_t sum = edge_asr::crc32(0, program.data(), program.size());
  constexpr std::string_view kMagic = "EASRSUM1";
  program.insert(program.end(), kMagic.begin(), kMagic.end());
  for (int i = 0; i < 4; ++i) program.push_back(static_cast<unsigned char>(sum >> (8 * i)));
}

std::uint64_t little_endian(const Bytes& bytes, std::size_t first, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count && first + i < bytes.size(); ++i) {
    value |= std::uint64_t{bytes[first + i]} << (8 * i);
  }
  return value;
}

// Bytes before the weights: the plan, its tensors and operators.
std::size_t structure_of(const Bytes& program) { return static_cast<std::size_t>(little_endian(program, 16, 8)); }

bool refused_before_parsing(const std::string& message) {
  constexpr std::string_view kReasons[]{"not an ExecuTorch program", "is cut short", "damaged (checksum",
                                        "is empty (0 bytes)", "it has no checksum", "made for contract"};
  return std::any_of(std::begin(kReasons), std::end(kReasons), [&](std::string_view reason) {
    return message.find(reason) != std::string::npos;
  });
}

void try_damaged(Cases& cases, const Bytes& whole, const Bytes& other, Chance& chance) {
  const Bytes bytes = fuzz::damaged(whole, other, structure_of(whole), chance.one_in(2), chance);
  const MemoryFile file(bytes);
  edge_asr_error error;
  edge_asr_model* model = nullptr;
  const edge_asr_status status = edge_asr_model_open(file.path().c_str(), &model, &error);
  if (status != EDGE_ASR_BAD_FILE || model != nullptr) {
    cases.wrong("opened a damaged file, or with another status: " + std::to_string(status) + " " + error.message);
  } else {
    cases.expect_line(error.message);
    if (!refused_before_parsing(error.message)) cases.wrong(std::string("parsed: ") + error.message);
    cases.count("refused: " + fuzz::kind_of(error.message, file.path()));
  }
  edge_asr_model_close(model);
}

// What a process of its own tells the one that started it.
struct Told {
  const char* stage;
  edge_asr_status status;
  edge_asr_error error;
};

// Opens the file, and streams noise through it.
void use(const char* path, Told& told) {
  static float pcm[kSamples];
  Chance chance(1);
  for (float& sample : pcm) sample = static_cast<float>(chance.below(2'001)) / 1'000.0F - 1.0F;
  edge_asr_model* model = nullptr;
  edge_asr_stream* stream = nullptr;
  edge_asr_update update;
  told.stage = "opening";
  told.status = edge_asr_model_open(path, &model, &told.error);
  if (told.status == EDGE_ASR_OK) {
    told.stage = "loading";
    told.status = edge_asr_stream_open(model, EDGE_ASR_DEFAULT_THRESHOLD, &stream, &told.error);
  }
  if (told.status == EDGE_ASR_OK) {
    told.stage = "stepping";
    told.status = edge_asr_stream_accept(stream, pcm, kSamples, &update, &told.error);
  }
  if (told.status == EDGE_ASR_OK) told.status = edge_asr_stream_finish(stream, &update, &told.error);
  edge_asr_stream_close(stream);
  edge_asr_model_close(model);
}

void print_report(const MemoryFile& err) {
  const Bytes said = err.read();
  std::fwrite(said.data(), 1, said.size(), stdout);
  std::printf("\nend of crash\n");
}

void try_resealed(Cases& cases, std::uint64_t number, const Bytes& whole, const Bytes& other, Chance& chance) {
  const bool size_stays = !chance.one_in(10);  // another is found out before the program is looked at
  Bytes bytes = fuzz::damaged(whole, other, structure_of(whole), size_stays, chance);
  seal(bytes);
  const MemoryFile file(bytes), err({});
  auto* told = static_cast<Told*>(
      ::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (told == MAP_FAILED) std::abort();
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(err.descriptor(), STDERR_FILENO);
    ::alarm(Cases::kCaseS / 2);
    edge_asr_set_threads(1, nullptr, 0, nullptr);
    use(file.path().c_str(), *told);
    ::_exit(0);
  }
  int ended = 0;
  if (::waitpid(child, &ended, 0) != child) std::abort();
  if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) {
    if (told->status == EDGE_ASR_OK) {
      cases.count("ran to its end");
    } else {
      cases.expect_line(told->error.message);
      cases.count(std::string("refused while ") + told->stage + ": " + fuzz::kind_of(told->error.message, file.path()));
    }
  } else if (WIFSIGNALED(ended) && WTERMSIG(ended) == SIGALRM) {
    cases.count(std::string("hung while ") + told->stage);
  } else {
    cases.count(std::string("crashed while ") + told->stage);
    std::printf("crash\t%" PRIu64 "\n", number);
    print_report(err);
  }
  ::munmap(told, sizeof(Told));
}

// Texts, each after its length as a little-endian uint32.
std::vector<Bytes> read_texts(const std::string& path) {
  const Bytes all = fuzz::read_file(path);
  std::vector<Bytes> texts;
  for (std::size_t at = 0; at < all.size();) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(at + 4);
    const auto length = static_cast<std::ptrdiff_t>(little_endian(all, at, 4));
    texts.emplace_back(first, first + length);
    at += 4 + texts.back().size();
  }
  return texts;
}

// Where the program keeps its metadata, and how much room it has for it.
struct Room {
  std::size_t first, bytes;
};

void try_metadata(Cases& cases, std::uint64_t number, const Bytes& program, Room room, const Bytes& json) {
  Bytes bytes = program;
  const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(room.first);
  const auto length = static_cast<std::ptrdiff_t>(std::min(json.size(), room.bytes));
  const auto end = first + static_cast<std::ptrdiff_t>(room.bytes);
  std::fill(std::copy(json.begin(), json.begin() + length, first), end, ' ');
  seal(bytes);
  const MemoryFile file(bytes);
  Told told{};
  use(file.path().c_str(), told);
  if (told.status == EDGE_ASR_OK) {
    cases.count("ran to its end");
    std::printf("accepted\t%" PRIu64 "\n", number);
    return;
  }
  cases.expect_line(told.error.message);
  if (told.status != EDGE_ASR_BAD_FILE) cases.wrong(std::string("another status: ") + told.error.message);
  cases.count(std::string("refused while ") + told.stage + ": " + fuzz::kind_of(told.error.message, file.path()));
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 6) return 2;
  const std::string mode = arguments[1];
  Cases cases(arguments[2], std::strtoull(arguments[3], nullptr, 10), std::strtoull(arguments[4], nullptr, 10));
  if (mode == "metadata") {
    const Bytes program = unsealed(fuzz::read_file(arguments[5]));
    const Room room{std::strtoull(arguments[6], nullptr, 10), std::strtoull(arguments[7], nullptr, 10)};
    const std::vector<Bytes> texts = read_texts(arguments[8]);
    cases.run([&](std::uint64_t number) { try_metadata(cases, number, program, room, texts.at(number)); });
    return cases.report();
  }
  std::vector<Bytes> files;
  for (int i = 5; i < count; ++i) {
    files.push_back(fuzz::read_file(arguments[i]));
    if (mode == "resealed") files.back() = unsealed(files.back());
  }
  cases.run([&](std::uint64_t number) {
    Chance chance(number);
    const Bytes& whole = files[number % files.size()];
    const Bytes& other = files[(number + 1) % files.size()];
    if (mode == "damaged") try_damaged(cases, whole, other, chance);
    else try_resealed(cases, number, whole, other, chance);
  });
  return cases.report();
}
