"""An agent of LangGraph whose checkpoints are in SQLite, and a thread for each prompt, all at once.

    langgraph_sqlite.py HOME MODEL_URL DATA PROMPT...

Checkpoints are written before the next step begins (`durability="sync"`). The tool runs `bash` without any isolation.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition


@tool
def bash(command: str, description: str = "") -> str:
    """Run a command."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    return done.stdout or "(no output)"


def agent(model_url: str, checkpoints: SqliteSaver) -> Any:
    model = ChatAnthropic(model_name="claude-sonnet-4-5", base_url=model_url, api_key="none", streaming=True)
    with_tools = model.bind_tools([bash])
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [with_tools.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([bash]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile(checkpointer=checkpoints)


def main(_home: str, model_url: str, data: str, *prompts: str) -> None:
    with SqliteSaver.from_conn_string(f"{data}/checkpoints.db") as checkpoints:
        graph = agent(model_url, checkpoints)

        def talk(numbered: tuple[int, str]) -> None:
            number, prompt = numbered
            config = {"configurable": {"thread_id": str(number)}, "recursion_limit": 100_000}
            graph.invoke({"messages": [("user", prompt)]}, config, durability="sync")

        with ThreadPoolExecutor(len(prompts)) as pool:
            list(pool.map(talk, enumerate(prompts)))


main(*sys.argv[1:])
