// What a file says about itself; see edge_asr/contract.py.
#pragma once

#include <string>
#include <vector>

namespace edge_asr {

constexpr long kContractVersion = 4;
constexpr int kBlockChunks = 2;  // chunks whose kept frames an upper block may hold

struct Metadata {
  int contract_version;
  int sample_rate_hz;
  int chunk_samples;  // samples of a step
  int chunk_frames;   // frames of a step
  int frame_samples;  // samples of a frame
  int blank_id;
  std::vector<std::string> pieces;  // text of each output; `▁` opens a word
  float default_threshold;

  int block_frames() const { return kBlockChunks * chunk_frames; }  // rows of an upper block
  int vocabulary() const { return static_cast<int>(pieces.size()); }
};

// Throws Failure where the text is not ours, of another contract, or makes no sense.
Metadata parse_metadata(const std::string& json);

// What to tell the user of a file that was made for another contract.
std::string other_contract(long version);

}  // namespace edge_asr
