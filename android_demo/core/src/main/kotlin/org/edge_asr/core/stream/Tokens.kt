package org.edge_asr.core.stream

import org.edge_asr.core.program.Metadata

/** The output alphabet of a model. */
internal class Tokens(pieces: List<String>, val blankId: Int) {
    constructor(metadata: Metadata) : this(metadata.pieces, metadata.blankId)

    private val parts: List<List<String>> = pieces.map { it.split(WORD_START) }

    /** Outputs of a head, blank included. */
    val size: Int get() = parts.size

    /** The piece of [token], cut where a word begins: every part but the first opens one. Any may be empty. */
    fun parts(token: Int): List<String> = parts[token]

    private companion object {
        const val WORD_START = '▁'
    }
}
