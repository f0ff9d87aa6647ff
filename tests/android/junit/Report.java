package org.edge_asr.junit;

import java.io.PrintStream;
import java.util.HashMap;
import java.util.Map;
import org.json.JSONException;
import org.json.JSONObject;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/** Runs the named JUnit classes and prints a line of JSON for each test: `test`, `state`, `trace`. */
public final class Report extends RunListener {
    private final PrintStream out;
    private final Map<String, String> failures = new HashMap<>();

    private Report(PrintStream out) {
        this.out = out;
    }

    public static void main(String[] names) throws ClassNotFoundException {
        PrintStream out = System.out;
        System.setOut(System.err); // what tests print is no report
        JUnitCore core = new JUnitCore();
        core.addListener(new Report(out));
        for (String name : names) {
            core.run(Class.forName(name));
        }
    }

    private static String name(Description test) {
        String type = test.getClassName();
        return test.getMethodName() == null ? type : type + "." + test.getMethodName();
    }

    @Override
    public void testFailure(Failure failure) throws JSONException {
        String name = name(failure.getDescription());
        if (failure.getDescription().isTest()) {
            failures.put(name, failure.getTrace());
        } else {
            print(name, "failed", failure.getTrace()); // @BeforeClass and the like: no test of its own is finished
        }
    }

    @Override
    public void testAssumptionFailure(Failure failure) {
        failures.put(name(failure.getDescription()), failure.getTrace()); // nothing here may be left out
    }

    @Override
    public void testFinished(Description test) throws JSONException {
        String trace = failures.remove(name(test));
        print(name(test), trace == null ? "passed" : "failed", trace == null ? "" : trace);
    }

    @Override
    public void testIgnored(Description test) throws JSONException {
        print(name(test), "ignored", "");
    }

    private void print(String test, String state, String trace) throws JSONException {
        JSONObject line = new JSONObject();
        line.put("test", test);
        line.put("state", state);
        line.put("trace", trace);
        out.println(line);
    }
}
