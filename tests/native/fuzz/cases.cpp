#include "cases.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace fuzz {
namespace {

[[noreturn]] void give_up(const std::string& what) {
  std::perror(what.c_str());
  std::exit(2);
}

}  // namespace

Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) give_up(path);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

MemoryFile::MemoryFile(const Bytes& bytes)
    : descriptor_(::memfd_create("case", MFD_CLOEXEC)), path_("/proc/self/fd/" + std::to_string(descriptor_)) {
  if (descriptor_ < 0) give_up("memfd_create");
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t written = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
    if (written < 0) give_up("write");
    done += static_cast<std::size_t>(written);
  }
}

MemoryFile::~MemoryFile() { ::close(descriptor_); }

Bytes MemoryFile::read() const {
  struct stat about {};
  if (::fstat(descriptor_, &about) != 0) give_up("fstat");
  Bytes bytes(static_cast<std::size_t>(about.st_size));
  if (::pread(descriptor_, bytes.data(), bytes.size(), 0) != about.st_size) give_up("pread");
  return bytes;
}

Cases::Cases(const std::string& note, std::uint64_t first, std::uint64_t count)
    : note_(::open(note.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)), first_(first), count_(count) {
  if (note_ < 0) give_up(note);
}

void Cases::run(const std::function<void(std::uint64_t)>& one) {
  for (current_ = first_; current_ < first_ + count_; ++current_) {
    std::array<char, 32> line{};
    const int length = std::snprintf(line.data(), line.size(), "%20" PRIu64 "\n", current_);
    if (::pwrite(note_, line.data(), static_cast<std::size_t>(length), 0) != length) give_up("note");
    ::alarm(kCaseS);
    one(current_);
    ::alarm(0);
    count("cases");
  }
}

void Cases::wrong(const std::string& what) {
  ++wrong_;
  std::fprintf(stderr, "case %" PRIu64 ": %s\n", current_, what.c_str());
}

void Cases::expect_line(const std::string& message) {
  if (message.empty()) wrong("no message");
  if (std::any_of(message.begin(), message.end(), [](unsigned char c) { return c < ' '; })) {
    wrong("a message that is not one line: " + message);
  }
}

int Cases::report() const {
  for (const auto& [what, number] : counts_) std::printf("count\t%" PRIu64 "\t%s\n", number, what.c_str());
  return wrong_ == 0 ? 0 : 1;
}

std::string kind_of(std::string message, const std::string& path) {
  if (const std::size_t at = message.find(path); at != std::string::npos) message.replace(at, path.size(), "FILE");
  const auto is_digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  const auto in_word = [](unsigned char c) { return std::isalnum(c) != 0; };
  std::string kind;
  for (auto next = message.cbegin(); next != message.cend();) {
    const auto end = std::find_if_not(next, message.cend(), in_word);
    if (std::any_of(next, end, is_digit)) kind += '#';
    else kind.append(next, end);
    next = end;
    if (next != message.cend()) kind += *next++;
  }
  return kind;
}

}  // namespace fuzz
