package org.edge_asr.core.benchmark

import org.edge_asr.core.measure.EnergyMeter
import org.edge_asr.core.measure.NotCoveredException
import org.edge_asr.core.measure.Span
import org.edge_asr.core.measure.Window
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** Which meter's figures a report has. */
class EnergyChoiceTest {
    private val idle = listOf(Span(0.0, 1.0))
    private val spans = mapOf("a" to List(4) { Span(10.0 + it, 10.5 + it) }, "b" to List(4) { Span(20.0 + it, 20.5 + it) })

    private class Covering(override val name: String, private val covered: List<Span>) : EnergyMeter {
        override val covers = "it"
        override val problem: String? = null
        override fun start() = Unit
        override fun stop() = Unit
        override fun window(span: Span): Window {
            if (span !in covered) throw NotCoveredException("it slept")
            return Window(2 * span.seconds, span.seconds, 10, 20.0, 0.1)
        }

        override fun readings() = "raw"
    }

    private fun sources(vararg meters: EnergyMeter) =
        chooseEnergy(meters.toList(), spans, idle, 1.0).bySetting.values.map { it.energy.source?.substringBefore(' ') }

    @Test
    fun `of two that cover all the first is taken, else the one that covers more`() {
        val all = idle + spans.values.flatten()
        assertEquals(listOf("first", "first"), sources(Covering("first", all), Covering("second", all)))
        val lacking = all - spans.getValue("a").take(1)
        assertEquals(listOf("second", "second"), sources(Covering("first", lacking), Covering("second", all)))
    }

    @Test
    fun `settings are never measured by different meters`() {
        // five passes, but of one setting too few for a figure; and four, two of each
        val lopsided = Covering("first", idle + spans.getValue("a") + spans.getValue("b").take(1))
        val even = Covering("second", idle + spans.getValue("a").take(2) + spans.getValue("b").take(2))
        assertEquals(listOf("second", "second"), sources(lopsided, even))
    }

    @Test
    fun `where none covers it the reasons are told`() {
        val found = chooseEnergy(listOf(Covering("first", emptyList()), Covering("second", idle)), spans, idle, 1.0)
        assertEquals(setOf("idle: first: it slept; second: it slept"), found.bySetting.values.map { it.energy.reason }.toSet())
        assertTrue(found.notes.contains("energy by second: not measured; raw"))
    }
}
