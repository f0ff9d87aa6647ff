#include "options.h"

#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <sstream>

#include "../metadata.h"
#include "edge_asr.h"
#include "screen.h"
#include "trouble.h"

namespace edge_asr::runner {
namespace {

constexpr char kModelVariable[] = "EDGE_ASR_MODEL";
constexpr char kModelName[] = "model.pte";

constexpr char kHelp[] =
    R"(Usage: edge-asr-run [OPTIONS] AUDIO...

Turn speech into text, without Python: streaming recognition on one CPU core.

AUDIO is one WAV file, FIFO or device or more, or `-` for WAV from standard input: 16-bit PCM or 32-bit float, 1 to 32
channels, 1000 to 768000 Hz. With --raw it is headerless samples. Text comes as it is heard: on a terminal, plain words
are final and dim ones may still change; into a pipe go final words only, one line an input.

Options:
  --model PTE         The .pte to run. Default: $EDGE_ASR_MODEL, else model.pte beside this program or one folder up.
  --channel N|mix     The channel to hear, from 1, or the mean of all. Default: mix.
  --raw s16le|f32le   AUDIO is raw little-endian samples.
  --rate HZ           Sample rate of --raw. Default: the model's (16000 Hz as shipped).
  --channels N        Channels of --raw, interleaved. Default: 1.
  --threshold T|off   A frame whose blank probability is above T, 0 to 1, skips the upper layers: lower is faster,
                      higher is safer, `off` skips nothing. Default: what the file recommends.
  --threads N         Threads that compute. Default: 1, which is the fastest for small models.
  --cpus LIST         CPUs they may run on, such as 0,2-3. Default: any.
  --repeat N          Go over the files N times with the model loaded once.
  --json              One JSON object an input, on one line: text, words with times in seconds and confidence 0 to 1,
                      warnings, error, frames, kept frames, runs of the upper layers, latency of each step in ms, time
                      for decoding, CPU seconds since the start, memory.
  --json-steps        An object for each update: its new final words, the partial text after them, seconds of audio that
                      went through steps, the time that the library took for it, and its steps. Then the object of
                      --json without what the updates hold: text, words and latencies.
  --bench             Print times and memory instead of text; with --json, as an object.
  -h, --help          Show this and exit.
  -V, --version       Show versions and exit.

Examples:
  edge-asr-run talk.wav
  arecord -q -f S16_LE -r 16000 -c 1 -t raw | edge-asr-run --raw s16le -
  arecord -q -f S16_LE -r 48000 -c 2 -t raw | edge-asr-run --raw s16le --rate 48000 --channels 2 --channel 1 -
  ffmpeg -v error -i talk.mp3 -f wav - | edge-asr-run -
  edge-asr-run --json talk.wav | jq .words
  edge-asr-run --bench --repeat 10 --cpus 2 talk.wav

SIGINT (Ctrl-C), SIGTERM and SIGHUP end the stream: what was heard is printed, files not yet begun are left out. Another
signal ends at once. An input that cannot be read is named on stderr, and the next one has its turn.
EDGE_ASR_VERBOSE=1 shows ExecuTorch's own log lines on stderr. NO_COLOR=1 or TERM=dumb: plain text on a terminal.
Errors and warnings are one line on stderr. Exit codes: 0 done, 1 failed, 2 wrong usage; 130, 143 or 129 after SIGINT,
SIGTERM or SIGHUP.
)";

enum Long : int {
  kModel = 256, kChannel, kRaw, kRate, kChannels, kThreshold, kThreads, kCpus, kRepeat, kJson, kJsonSteps, kBench,
};

constexpr std::array<option, 15> kOptions{{
    {"model", required_argument, nullptr, kModel},
    {"channel", required_argument, nullptr, kChannel},
    {"raw", required_argument, nullptr, kRaw},
    {"rate", required_argument, nullptr, kRate},
    {"channels", required_argument, nullptr, kChannels},
    {"threshold", required_argument, nullptr, kThreshold},
    {"threads", required_argument, nullptr, kThreads},
    {"cpus", required_argument, nullptr, kCpus},
    {"repeat", required_argument, nullptr, kRepeat},
    {"json", no_argument, nullptr, kJson},
    {"json-steps", no_argument, nullptr, kJsonSteps},
    {"bench", no_argument, nullptr, kBench},
    {"help", no_argument, nullptr, 'h'},
    {"version", no_argument, nullptr, 'V'},
    {nullptr, 0, nullptr, 0},
}};

Trouble misuse(const std::string& line) { return Trouble(line + " (see edge-asr-run --help)", kMisused); }

// getopt_long's `?`: what it stumbled over is in optopt, or for a long option in the argument.
Trouble unknown(const char* argument) {
  if (optopt >= kModel) return misuse(std::string(argument) + ": this option takes no value");
  return misuse("no such option: " + (optopt > 0 ? std::string("-") + static_cast<char>(optopt) : argument));
}

template <typename Number>
std::optional<Number> whole(const std::string& text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

std::int64_t count_of(const char* option, const std::string& text, std::int64_t most, std::int64_t least = 1) {
  const auto value = whole<std::int64_t>(text);
  if (!value || *value < least || *value > most) {
    throw misuse(std::string(option) + ": '" + text + "' is no whole number from " + std::to_string(least) + " to " +
                 std::to_string(most));
  }
  return *value;
}

std::uint32_t channel_of(const std::string& text) {
  if (text == "mix") return 0;
  const auto value = whole<std::uint32_t>(text);
  if (!value || *value < 1 || *value > kMostChannels) {
    throw misuse("--channel: '" + text + "' is neither 'mix' nor a whole number from 1 to 32");
  }
  return *value;
}

float threshold_of(const std::string& text) {
  if (text == "off" || text == "OFF") return EDGE_ASR_NEVER_SKIP;
  char* end = nullptr;
  const float value = std::strtof(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= 0.0F && value <= 1.0F)) {
    throw misuse("--threshold: '" + text + "' is neither 'off' nor a number from 0 to 1");
  }
  return value;
}

SampleType sample_type_of(const std::string& text) {
  if (text == "s16le") return SampleType::kInt16;
  if (text == "f32le") return SampleType::kFloat32;
  throw misuse("--raw: '" + text + "' is neither s16le nor f32le");
}

// `0,2-3` -> 0, 2, 3
std::vector<std::int32_t> cpus_of(const std::string& text) {
  constexpr std::int32_t kMost = 1'023;  // of sched_setaffinity's usual mask
  const Trouble wrong = misuse("--cpus: '" + text + "' is no list of CPUs such as 0,2-3");
  std::vector<std::int32_t> cpus;
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    const std::size_t dash = item.find('-', 1);
    const auto first = whole<std::int32_t>(item.substr(0, dash));
    const auto last = dash == std::string::npos ? first : whole<std::int32_t>(item.substr(dash + 1));
    if (!first || !last || *first < 0 || *first > *last || *last > kMost) throw wrong;
    for (std::int32_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
  }
  if (cpus.empty() || text.back() == ',') throw wrong;
  return cpus;
}

// Where the program's file lies: a bundle may be anywhere.
std::string folder_of_this_program() {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  const std::string found(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  const std::size_t slash = found.rfind('/');
  return slash == std::string::npos ? "." : found.substr(0, slash);
}

std::string default_model() {
  const char* named = std::getenv(kModelVariable);
  if (named != nullptr && *named != '\0') return named;
  const std::string folder = folder_of_this_program();
  for (const std::string& path : {folder + "/" + kModelName, folder + "/../" + kModelName}) {
    if (::access(path.c_str(), F_OK) == 0) return path;
  }
  throw misuse("no model: name one with --model, or set EDGE_ASR_MODEL");
}

bool can_be_read_again(const std::string& name) {
  struct stat about {};
  return ::stat(name.c_str(), &about) != 0 || S_ISREG(about.st_mode) || S_ISDIR(about.st_mode);
}

void check_together(const Options& options) {
  if (options.inputs.empty()) throw misuse("no audio: name a WAV file, or - for standard input");
  const auto from_stdin = std::count(options.inputs.begin(), options.inputs.end(), "-");
  if (from_stdin > 1) throw misuse("standard input can be read once: name - once");
  if (from_stdin == 1 && options.repeat > 1) throw misuse("--repeat: standard input cannot be read again: name files");
  for (const std::string& name : options.inputs) {
    if (options.repeat == 1 || can_be_read_again(name)) continue;
    throw misuse("--repeat: " + name + " is a pipe or device, which cannot be read again: name files");
  }
  if (options.audio.rate_hz && !options.audio.raw) throw misuse("--rate is for --raw: a WAV file says its own");
  if (options.bench && options.json_steps) throw misuse("--bench has no steps to print: use --json");
}

}  // namespace

std::optional<Options> parse_options(int count, char** arguments) {
  Options options;
  options.threshold = EDGE_ASR_DEFAULT_THRESHOLD;
  opterr = 0;
  bool channels_given = false;
  for (int found; (found = getopt_long(count, arguments, ":hV", kOptions.data(), nullptr)) != -1;) {
    const std::string value = optarg != nullptr ? optarg : "";
    switch (found) {
      case kModel: options.model = value; break;
      case kChannel: options.audio.channel = channel_of(value); break;
      case kRaw: options.audio.raw = sample_type_of(value); break;
      case kRate:
        options.audio.rate_hz = static_cast<std::int32_t>(count_of("--rate", value, kHighestRateHz, kLowestRateHz));
        break;
      case kChannels:
        options.audio.channels = static_cast<std::int32_t>(count_of("--channels", value, kMostChannels));
        channels_given = true;
        break;
      case kThreshold: options.threshold = threshold_of(value); break;
      case kThreads: options.threads = static_cast<std::int32_t>(count_of("--threads", value, 1'024)); break;
      case kCpus: options.cpus = cpus_of(value); break;
      case kRepeat: options.repeat = count_of("--repeat", value, 1'000'000'000); break;
      case kJsonSteps: options.json_steps = true; [[fallthrough]];
      case kJson: options.json = true; break;
      case kBench: options.bench = true; break;
      case 'h': print(kHelp); return std::nullopt;
      case 'V':
        print("edge-asr-run " EDGE_ASR_VERSION " (contract " + std::to_string(kContractVersion) +
              ", ExecuTorch " EDGE_ASR_EXECUTORCH_VERSION ")\n");
        return std::nullopt;
      case ':': throw misuse(std::string(arguments[optind - 1]) + " needs a value");
      default: throw unknown(arguments[optind - 1]);
    }
  }
  options.inputs.assign(arguments + optind, arguments + count);
  if (channels_given && !options.audio.raw) throw misuse("--channels is for --raw: a WAV file says how many it has");
  check_together(options);
  if (options.model.empty()) options.model = default_model();
  return options;
}

}  // namespace edge_asr::runner
