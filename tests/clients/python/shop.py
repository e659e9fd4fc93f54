"""The API as plain requests, from Python's own library: what somebody else does in the shop while a client looks on."""

import json
import os
import urllib.request
import uuid

API = os.environ["ONHAND_URL"].rstrip("/") + "/graphql"
SOCKET = "ws" + API.removeprefix("http")

LIST = """query List($search: String) {
  products(search: $search) { nodes { id sku stock { id available version } } }
}"""

STOCK = """subscription Stock($ids: [ID!]!) {
  stockChanged(productIds: $ids) { id available version }
}"""

ADJUST = """mutation Adjust($input: AdjustStockInput!) {
  adjustStock(input: $input) { stocks { id available version } userErrors { code field message } }
}"""

CREATE = """mutation ($input: CreateProductInput!) {
  createProduct(input: $input) { product { id } userErrors { message } }
}"""


def request(query, variables=None):
    """The data that the server answers."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(API, body, headers)) as response:
        answer = json.load(response)
    assert "errors" not in answer, answer
    return answer["data"]


def product(units):
    """A product that no other test knows, with so many units: its id and its SKU."""
    sku = f"CLIENT-{uuid.uuid4()}"
    price = {"amount": 100, "currency": "EUR"}
    made = request(CREATE, {"input": {"sku": sku, "name": sku, "initialStock": units, "price": price}})
    return made["createProduct"]["product"]["id"], sku


def receipt(product_id, quantity):
    """The variables of ADJUST that add units to the stock of a product."""
    change = {"productId": product_id, "action": "INCREMENT", "quantity": quantity}
    return {"input": {"changes": [change], "reason": "RECEIVED"}}


def keyed(variables):
    """The same variables with an idempotency key, which mutations over a websocket need."""
    return {"input": {**variables["input"], "idempotencyKey": str(uuid.uuid4())}}


def receive(product_id, quantity):
    """Adds units to the stock of a product."""
    assert request(ADJUST, receipt(product_id, quantity))["adjustStock"]["userErrors"] == []
